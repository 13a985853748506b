"""Under the very rules that were in force nothing differs, whatever a rule looks at and however it refuses."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gameserver.app import Core
from gameserver.app.looking_back import periods_of
from gameserver.commands import identity, moderation, what_if
from gameserver.commands.what_if import Supposition
from gameserver.config.settings import Settings
from gameserver.rules.errors import Refused
from gameserver.rules.player import Player
from gameserver.rules.what_if_tally import WhatIfTally
from gameserver.storage.accounts.bans import BanChange
from gameserver.storage.ledger.periods import Period
from gameserver.storage.ledger.refusals import REFUSED_SEED
from tests.support.client import command_id
from tests.support.deployment import connected, enlist, ledger, order, owner, present, with_actions, working

RULES = ("by_version", "by_name", "by_rest", "by_chance")


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    actions = {rule: f"tests.commands.what_if_actions:{rule}" for rule in RULES}
    async with working(with_actions(settings, tmp_path, **actions)) as opened:
        yield opened


async def act(core: Core, player: Player, action: str) -> bool:
    """Whether it took effect; bans have ended sessions, as nobody else has."""
    try:
        await core.rooms.players.act(replace(order(core, player.id, action), session_epoch=9))
    except Refused:
        return False
    return True


async def judge(core: Core, player: Player, *, banned: bool) -> None:
    change = BanChange(command_id(), player.id, banned, "a test")
    assert (await moderation.change_ban(core.commands.operations, "ann", change)).banned is banned


async def rename(core: Core, player: Player, name: str) -> None:
    await identity.rename_for(core.commands.accounts, player.id, name, command_id())


async def played(core: Core) -> Player:
    """A player that has done all there is, been banned and renamed; some of what it tried was refused."""
    player = await enlist(core)
    tried = [await act(core, player, "by_chance") for _ in range(24)]
    assert {*tried} == {True, False}
    for number in range(3):
        for action in RULES:
            await act(core, player, action)
        await judge(core, player, banned=True)
        await act(core, player, "by_version")
        await judge(core, player, banned=False)
        await rename(core, player, f"{player.name} {'x' * number * 2}")
        for action in reversed(RULES):
            await act(core, player, action)
    return player


async def suppose(core: Core, since: datetime) -> WhatIfTally:
    period = Period(since, core.rooms.clock.now() + timedelta(seconds=5))
    return await what_if.suppose(periods_of(core), Supposition(core.rulebook, period), lambda _: None)


async def test_nothing_shifts_and_nothing_is_allowed_from_whatever_moment(core: Core) -> None:
    player = await played(core)
    rows = await ledger(core, player.id)
    changes = {row["at"] for row in rows if row["action"] in ("rename", "ban", "lift_ban")}
    for since in [rows[0]["at"], *sorted(changes), rows[-3]["at"]]:
        tally = await suppose(core, since)
        assert (tally.total.players, tally.unknown) == (1, 0)
        assert (tally.shifts(), tally.refused, tally.allowed) == ([], {}, {}), since
    tally = await suppose(core, rows[0]["at"])
    assert tally.total.exp[0] == tally.total.exp[1] == (await present(core, player.id)).exp > 0


async def test_a_refusal_by_unknown_dice_stays_one(core: Core) -> None:
    since = core.rooms.clock.now() - timedelta(hours=1)
    player = await enlist(core)
    for _ in range(24):
        await act(core, player, "by_chance")
    async with connected(core.databases[owner(core, player.id)].url) as connection:
        seeds = [seed for (seed,) in await connection.fetch("select seed from ledger where seed < 0")]
        assert len({*seeds}) == len(seeds) > 0
        await connection.execute("update ledger set seed = $1 where seed < 0", REFUSED_SEED)
    tally = await suppose(core, since)
    assert (tally.shifts(), tally.refused, tally.allowed) == ([], {}, {})


async def test_a_player_that_was_imported_hurt_begins_so(core: Core) -> None:
    since = core.rooms.clock.now() - timedelta(hours=1)
    player = await enlist(core)
    async with connected(core.databases[owner(core, player.id)].url) as connection:
        query = """update ledger set outcome = jsonb_set(outcome::jsonb, '{hp}', '10')::json where player_id = $1"""
        await connection.execute(query, player.id)
        await connection.execute("update players set hp = 10 where id = $1", player.id)
    assert await act(core, player, "rest")
    tally = await suppose(core, since)
    assert (tally.refused, tally.allowed) == ({}, {})


async def test_a_player_that_was_erased_is_unknown_also_where_only_refusals_are_left(core: Core) -> None:
    player = await enlist(core)
    since = core.rooms.clock.now()
    assert not await act(core, player, "rest")
    async with connected(core.databases[owner(core, player.id)].url) as connection:
        blank = "update ledger set outcome = jsonb_set(outcome::jsonb, '{name}', '\"\"')::json where seed >= 0"
        await connection.execute(blank)
    tally = await suppose(core, since)
    assert (tally.total.players, tally.unknown) == (0, 1)
