"""What is due, and fails for a reason of its own, holds up nothing that is due behind it."""

from typing import Any

import pytest

from gameserver.app import Core
from gameserver.commands.player_changes import Gift, letter_with
from gameserver.storage.accounts.claims import Claim
from gameserver.storage.mail.outbox import Ending
from gameserver.storage.players.command import Command
from gameserver.upkeep import loops
from tests.storage.seasons.test_seasons import postman
from tests.support.client import command_id
from tests.support.deployment import connected, enlist_many, present


async def test_a_claim_that_cant_be_resolved_holds_up_no_other(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, *_ = players = await enlist_many(core, 4, "one")
    for database in core.slots.databases("accounts"):
        async with connected(database.url) as connection:
            await connection.execute("update claims set confirmed = false, deadline = now() - interval '1 s'")
            oldest = "update claims set deadline = now() - interval '1 h' where player_id = $1"
            await connection.execute(oldest, bad.id)
    resolve = core.rooms.accounts.identities.resolve

    async def fail(claim: Claim) -> Any:
        if claim.player_id == bad.id:
            raise RuntimeError("a fault")
        return await resolve(claim)

    monkeypatch.setattr(core.rooms.accounts.identities, "resolve", fail)
    assert await loops.sweep(core.commands.accounts) > 0
    left = {claim.player_id for claim in await core.rooms.accounts.claims.overdue(100)}
    assert left == {bad.id}, players


async def test_a_letter_that_cant_be_delivered_holds_up_none_beside_it(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = await enlist_many(core, 2)
    act, now = core.rooms.players.act, core.commands.accounts.policy.now()

    async def fail(command: Command) -> Any:
        if command.player_id == bad.id:
            raise RuntimeError("a fault")
        return await act(command)

    monkeypatch.setattr(core.rooms.players, "act", fail)
    gift = Gift("for you", (("herb", 1),))
    endings = await postman(core).deliver([letter_with(gift, who.id, command_id(), now) for who in (bad, good)])
    assert endings == [None, Ending()]
    assert (await present(core, good.id)).version == 2
