"""What is due, and fails for a reason of its own, holds up nothing that is due behind it."""

from typing import Any

import pytest

from gameserver.app import Core
from gameserver.commands.player_changes import Gift, letter_with
from gameserver.rules.errors import ClassMissing, DatabaseUnavailable
from gameserver.storage.accounts.claims import Claim
from gameserver.storage.ids import slot_of
from gameserver.storage.mail.outbox import Ending
from gameserver.storage.operators import campaigns as records
from gameserver.storage.operators import recipients
from gameserver.storage.operators.campaigns import CampaignRecord
from gameserver.storage.players.command import Command
from gameserver.upkeep import campaigns, loops
from gameserver.upkeep.campaigns import Sending
from tests.storage.seasons.test_seasons import postman
from tests.support.client import command_id
from tests.support.deployment import connected, enlist_many, present
from tests.support.wait import wait_until


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


async def test_claims_that_wait_for_a_silent_database_hold_up_no_page_of_others(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, other = await enlist_many(core, 6, "two"), (await enlist_many(core, 1, "one"))[0]
    for database in core.slots.databases("accounts"):
        async with connected(database.url) as connection:
            await connection.execute("update claims set confirmed = false, deadline = now() - interval '1 h'")
            newest = "update claims set deadline = now() - interval '1 s' where player_id = $1"
            await connection.execute(newest, other.id)
    resolve = core.rooms.accounts.identities.resolve

    async def fail(claim: Claim) -> Any:
        if claim.player_id != other.id:
            raise DatabaseUnavailable("silent")
        return await resolve(claim)

    monkeypatch.setattr(core.rooms.accounts.identities, "resolve", fail)
    monkeypatch.setattr(loops, "CLAIMS_A_SWEEP", 2)

    async def is_resolved() -> bool:
        await loops.sweep(core.commands.accounts)
        return other.id not in {claim.player_id for claim in await core.rooms.accounts.claims.overdue(100)}

    await wait_until(is_resolved, what="the other's claims are resolved")
    assert {claim.player_id for claim in await core.rooms.accounts.claims.overdue(100)} == {who.id for who in away}


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


@pytest.mark.parametrize("most", [20, 1])
@pytest.mark.parametrize("error", [RuntimeError("a fault"), ClassMissing("no such class"), DatabaseUnavailable("away")])
async def test_a_campaigns_letter_that_fails_alone_keeps_back_no_other_of_its_database(
    core: Core, monkeypatch: pytest.MonkeyPatch, error: Exception, most: int
) -> None:
    """But for so many that it must be the database, which is what an error of its own says of one, too."""
    bad, *others = sorted(await enlist_many(core, 5, "one"), key=lambda player: (slot_of(player.id), player.id))
    act, now = core.rooms.players.act, core.commands.accounts.policy.now()

    async def fail(command: Command) -> Any:
        if command.player_id == bad.id:
            raise error
        return await act(command)

    async def send() -> CampaignRecord:
        await campaigns.attend(Sending(core.commands.campaigns, postman(core), 1000))
        found = await core.rooms.operators.campaigns.find(record.id)
        assert found is not None
        return found

    record = CampaignRecord(
        id=command_id(), admin="a", reason="a test", filter={"banned": False}, text="Sorry", items={}, counted=5,
        state="running", agreed_by=None, at=now, changed_at=now, slot=0, after=0, pending=None, arrived=0, refused=0,
    )  # fmt: skip
    await core.rooms.operators.campaigns.insert(record)
    monkeypatch.setattr(records, "BEGIN_SECONDS", 0.0)
    monkeypatch.setattr(campaigns, "PAGE", 2)
    monkeypatch.setattr(recipients, "FAILING", most)
    monkeypatch.setattr(core.rooms.players, "act", fail)
    is_kept_back = most == 1 or isinstance(error, DatabaseUnavailable)
    waiting = await send()
    assert (waiting.pending, waiting.arrived) == ([bad.id], 1 if is_kept_back else len(others))
    assert bool(waiting.postponed) is is_kept_back
    monkeypatch.setattr(core.rooms.players, "act", act)
    monkeypatch.setattr(recipients, "SILENT_SECONDS", 0.0)
    core.commands.campaigns.recipients._silent_until.clear()
    core.commands.campaigns.recipients._failing_until.clear()
    done = await send()
    assert (done.state, done.arrived) == ("done", 5)
