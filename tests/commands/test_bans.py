"""Bans that end by themselves, that are changed by several at once, and copies of a change that come late."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.commands import identity, moderation
from gameserver.rules.errors import CommandMismatch, PlayerNotFound
from gameserver.storage.accounts.bans import BanChange, BanState
from gameserver.storage.accounts.due_bans import due_bans
from gameserver.storage.ids import slot_of
from gameserver.storage.sessions.store import Origin
from gameserver.upkeep import loops
from gameserver.waiting import cancel_and_wait
from tests.support.client import command_id
from tests.support.deployment import assert_ledger_explains, connected, enlist, enlist_many, owner
from tests.support.wait import wait_until

MOMENT = timedelta(seconds=3)


@pytest.fixture
async def lifting(core: Core, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Bans are lifted, one in each round, as a page of them is one after another."""
    monkeypatch.setattr(loops, "BAN_SECONDS", 0.05)
    monkeypatch.setattr(loops, "BANS_A_SWEEP", 1)
    accounts = core.commands.accounts
    work = loops.lift_bans_for_ever(core.commands.operations, accounts.policy, lambda: core.slots.databases("players"))
    task = asyncio.create_task(work)
    yield
    await cancel_and_wait([task])


async def judge(
    core: Core, player_id: int, *, banned: bool = True, key: str | None = None, until: datetime | None = None
) -> BanState:
    change = BanChange(key or command_id(), player_id, banned, "a test", until)
    return await moderation.change_ban(core.commands.operations, "ann", change)


async def bans(core: Core, player_id: int) -> list[Any]:
    """Of each, whether it has ended and is settled."""
    async with connected(core.databases[owner(core, player_id)].url) as connection:
        query = "select ended_at is not null, settled from bans where slot = $1 and player_id = $2"
        return [tuple(row) for row in await connection.fetch(query, slot_of(player_id), player_id)]


async def is_lifted(core: Core, player_id: int) -> bool:
    return await bans(core, player_id) == [(True, True)] and not await is_banned(core, player_id)


async def is_banned(core: Core, player_id: int) -> bool:
    async with connected(core.databases[owner(core, player_id)].url) as connection:
        query = "select banned from players where slot = $1 and id = $2"
        return bool(await connection.fetchval(query, slot_of(player_id), player_id))


async def test_a_deletion_ends_the_players_bans_and_who_was_banned_stays_so(core: Core) -> None:
    who = await enlist(core)
    await judge(core, who.id, until=core.commands.accounts.policy.now() + timedelta(hours=1))
    await identity.end(core.commands.accounts, who.id, command_id())
    assert await bans(core, who.id) == [(True, True)]
    assert await is_banned(core, who.id)


@pytest.mark.usefixtures("lifting")
async def test_a_deleted_player_whose_ban_an_earlier_version_left_open_holds_up_no_other(core: Core) -> None:
    gone, other = await enlist_many(core, 2, "one")
    now = core.commands.accounts.policy.now()
    await judge(core, gone.id, until=now + timedelta(hours=1))
    await identity.end(core.commands.accounts, gone.id, command_id())
    async with connected(core.databases["one"].url) as connection:
        left = (
            "update bans set ended_at = null, settled = false, until = now() - interval '1 hour' where player_id = $1"
        )
        await connection.execute(left, gone.id)
    await judge(core, other.id, until=core.commands.accounts.policy.now() + MOMENT)
    await wait_until(lambda: is_lifted(core, other.id), what="the other's ban is lifted")
    await wait_until(lambda: _is_settled(core, gone.id), what="the deleted player's is settled")
    assert await is_banned(core, gone.id), "it stays hidden"


async def _is_settled(core: Core, player_id: int) -> bool:
    return await bans(core, player_id) == [(True, True)]


@pytest.mark.usefixtures("lifting")
@pytest.mark.parametrize("error", [RuntimeError("a fault"), PlayerNotFound()])
async def test_a_ban_that_cant_be_lifted_holds_up_no_page_behind_it(
    core: Core, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bad, other = await enlist_many(core, 2, "one")
    hide = core.rooms.seasons.records.hide

    async def fail(player_id: int, *, hidden: bool) -> None:
        if player_id == bad.id and not hidden:
            raise error
        await hide(player_id, hidden=hidden)

    monkeypatch.setattr(core.rooms.seasons.records, "hide", fail)
    await judge(core, bad.id, until=core.commands.accounts.policy.now() + MOMENT)
    await judge(core, other.id, until=core.commands.accounts.policy.now() + MOMENT)
    await wait_until(lambda: is_lifted(core, other.id), what="the other's ban is lifted")
    assert await bans(core, bad.id) == [(True, False)], "it is tried again"


@pytest.mark.parametrize("hours", [None, 1])
async def test_what_follows_a_ban_is_done_by_others_if_its_node_dies(core: Core, hours: int | None) -> None:
    who, operations = await enlist(core, database="one"), core.commands.operations
    await core.rooms.sessions.open(who.id, 0, Origin("", ""))
    await _stands(core, who.id)
    until = None if hours is None else core.commands.accounts.policy.now() + timedelta(hours=hours)
    # The node dies between the ban's commit and all that follows.
    await operations.bans.change(BanChange(command_id(), who.id, True, "a test", until))
    assert await _lift(core) == 0, "its node may be at it"
    await _change(core, "update bans set at = at - interval '1 minute'")
    assert await _lift(core) == 1
    assert await _is_hidden(core, who.id)
    assert await core.rooms.sessions.listed(who.id) == []
    assert (await is_banned(core, who.id), await bans(core, who.id)) == (True, [(False, True)])
    assert await _lift(core) == 0, "it is done once"
    if hours is None:
        await operations.bans.change(BanChange(command_id(), who.id, False, "a test"))
    else:
        await _change(core, "update bans set until = now() - interval '1 second'")
    assert await _lift(core) == 1
    assert await is_lifted(core, who.id)
    assert not await _is_hidden(core, who.id)


async def test_a_session_that_began_since_a_ban_was_lifted_goes_on_when_the_ban_is_followed_late(core: Core) -> None:
    who, operations = await enlist(core, database="one"), core.commands.operations
    await operations.bans.change(BanChange(command_id(), who.id, True, "a test"))
    await _change(core, "update bans set at = at - interval '1 minute'")
    (late,) = await due_bans(core.databases["one"], 10)
    await judge(core, who.id, banned=False)
    await core.rooms.sessions.open(who.id, 1, Origin("", ""))
    await moderation.follow_ban(operations, late)
    assert len(await core.rooms.sessions.listed(who.id)) == 1
    assert await bans(core, who.id) == [(True, False)], "the end is still to be followed"


async def _lift(core: Core) -> int:
    return await loops.lift_bans(core.commands.operations, core.commands.accounts.policy, [core.databases["one"]])


async def _change(core: Core, statement: str) -> None:
    async with connected(core.databases["one"].url) as connection:
        await connection.execute(statement)


@pytest.mark.parametrize("banned", [True, False])
async def test_a_late_copy_of_what_changed_nothing_undoes_nobodys_change(core: Core, banned: bool) -> None:
    who, key = await enlist(core), command_id()
    if banned:
        await judge(core, who.id)
    first = await judge(core, who.id, banned=banned, key=key)
    assert (first.banned, first.replayed) == (banned, False)
    changed = await judge(core, who.id, banned=not banned)
    late = await judge(core, who.id, banned=banned, key=key)
    assert (late.banned, late.replayed, late.player.version) == (not banned, True, changed.player.version)
    assert await is_banned(core, who.id) is not banned
    with pytest.raises(CommandMismatch):
        await judge(core, who.id, banned=not banned, key=key)
    await assert_ledger_explains(core, who.id)


@pytest.mark.parametrize("banned", [True, False])
async def test_past_standings_show_what_holds_however_late_a_node_writes_them(
    core: Core, second: Core, monkeypatch: pytest.MonkeyPatch, banned: bool
) -> None:
    """A node that froze between its change and the standings wakes after another one's change is done."""
    who = await enlist(core)
    await _stands(core, who.id)
    if not banned:
        await judge(core, who.id)
    hide, woken = core.rooms.seasons.records.hide, asyncio.Event()

    async def late(player_id: int, *, hidden: bool) -> None:
        await woken.wait()
        await hide(player_id, hidden=hidden)

    monkeypatch.setattr(core.rooms.seasons.records, "hide", late)
    frozen = asyncio.create_task(judge(core, who.id, banned=banned))

    async def is_stored() -> bool:
        return await is_banned(core, who.id) is banned

    await wait_until(is_stored, what="the first change is stored")
    await judge(second, who.id, banned=not banned)
    woken.set()
    await frozen
    assert await _is_hidden(core, who.id) is not banned


async def _stands(core: Core, player_id: int) -> None:
    async with connected(core.databases[core.settings.control.database].url) as control:
        await control.execute(
            "insert into season_standings (board, start, position, rank, player_id, score, reached_at, name, class,"
            " level, hidden) values ('weekly', 1, 0, 1, $1, 1, now(), 'x', 'mage', 1, false)",
            player_id,
        )


async def _is_hidden(core: Core, player_id: int) -> bool:
    async with connected(core.databases[core.settings.control.database].url) as control:
        return bool(await control.fetchval("select hidden from season_standings where player_id = $1", player_id))
