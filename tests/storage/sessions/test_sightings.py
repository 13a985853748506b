"""When a player was last seen: to the hour, once for each, never lowered, and beside everything that makes versions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.operators.questions import Question, Segment
from gameserver.storage.sessions import sightings
from gameserver.storage.sessions.sessions import Origin
from gameserver.storage.sessions.sightings import CHUNK, Sightings
from tests.support.deployment import act, connected, enlist, enlist_many, move_slot

HOUR = datetime(2030, 1, 1, 12, tzinfo=UTC)
PHONE = Origin("phone", "192.0.2.1")


class Clock:
    def __init__(self) -> None:
        self.at = HOUR + timedelta(minutes=17)

    def __call__(self) -> float:
        return self.at.timestamp()


def anywhere(_: int) -> bool:
    return True


async def write(core: Core, seen: Sightings) -> int:
    return sum([await sightings.write(core.slots, seen, each) for each in core.slots.databases("players")])


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


async def row(core: Core, player: Player) -> Any:
    """The player's own row, and how many rows its ledger has."""
    async with connected(core.slots.owner("players", slot_of(player.id)).url) as connection:
        query = "select *, (select count(*) from ledger where player_id = id) as acts from players where id = $1"
        return dict(await connection.fetchrow(query, player.id))


def test_a_player_is_due_once_for_each_hour() -> None:
    clock = Clock()
    seen = Sightings(clock)
    for _ in range(3):
        seen.note(1)
    assert seen.take(anywhere) == {1: clock() // 3600}
    seen.note(1)
    assert seen.take(anywhere) == {}
    clock.at += timedelta(hours=1)
    seen.note(1)
    assert seen.take(anywhere) == {1: clock() // 3600}


def test_what_is_put_back_doesnt_replace_what_was_seen_since() -> None:
    clock = Clock()
    seen = Sightings(clock)
    seen.note(1)
    seen.note(2)
    taken = seen.take(anywhere)
    clock.at += timedelta(hours=1)
    seen.note(1)
    seen.put_back(taken)
    assert seen.take(anywhere) == {1: clock() // 3600, 2: clock() // 3600 - 1}


def test_sightings_are_bounded_and_what_didnt_fit_is_noted_later() -> None:
    seen = Sightings(Clock(), most=5)
    for player_id in range(9):
        seen.note(player_id)
    assert set(seen.take(anywhere)) == {0, 1, 2, 3, 4}
    for player_id in range(9):
        seen.note(player_id)
    assert set(seen.take(anywhere)) == {5, 6, 7, 8}


def test_only_slots_that_are_asked_for_are_taken_a_chunk_at_a_time() -> None:
    seen = Sightings(Clock())
    ids = [number << 10 for number in range(2 * CHUNK)]
    for player_id in ids:
        seen.note(player_id)
    first = seen.take(lambda slot: slot % 2 == 0)
    assert len(first) == CHUNK
    assert {slot_of(player_id) % 2 for player_id in first} == {0}
    assert set(seen.take(anywhere)) == set(ids) - set(first)
    assert seen.take(anywhere) == {}


async def test_signing_up_is_being_seen_without_an_update_of_its_own(core: Core) -> None:
    player = await enlist(core)
    assert (await row(core, player))["seen"] == hour_of(player.created_at)
    seen, written = Sightings(player.created_at.timestamp), "select xmin::text from players where id = $1"
    async with connected(core.slots.owner("players", slot_of(player.id)).url) as connection:
        born = await connection.fetchval(written, player.id)
        seen.note(player.id)
        assert await write(core, seen) == 1
        assert await connection.fetchval(written, player.id) == born


async def test_a_sighting_is_an_hour_that_only_rises_and_changes_nothing_else(core: Core) -> None:
    player, clock = await enlist(core), Clock()
    await act(core, player.id)
    before = await row(core, player)
    seen = Sightings(clock)
    for hours, wanted in ((0, HOUR), (1, HOUR + timedelta(hours=1)), (-2, HOUR + timedelta(hours=1))):
        clock.at = HOUR + timedelta(hours=hours, minutes=59)
        seen.note(player.id)
        assert await write(core, seen) == 1
        assert await row(core, player) == before | {"seen": wanted}


async def test_opening_and_using_a_session_is_being_seen_and_a_rule_of_others_isnt(core: Core) -> None:
    signed, other = await enlist_many(core, 2)
    sessions = core.rooms.sessions
    await write(core, sessions.sightings)
    token, _ = await sessions.open(signed.id, 0, PHONE)
    await act(core, other.id)  # as the letter of another player would be written
    assert await write(core, sessions.sightings) == 1
    hour = hour_of(core.rooms.clock.now())
    assert (await row(core, signed))["seen"] in (hour, hour - timedelta(hours=1))
    assert (await row(core, other))["seen"] == hour_of(other.created_at)
    await sessions.check(token)
    assert await write(core, sessions.sightings) == 0, "it is the same hour still"


@pytest.mark.parametrize("away", ["locked", "moved"])
async def test_what_cant_be_written_now_is_written_in_a_later_turn(core: Core, second: Core, away: str) -> None:
    player = free = await enlist(core, database="one")
    while slot_of(free.id) == slot_of(player.id):
        free = await enlist(core, database="one")
    seen = Sightings(Clock())
    seen.note(player.id)
    seen.note(free.id)
    if away == "moved":
        await move_slot(core, slot_of(player.id), "two")
        assert await write(second, seen) == 1
        await second.slots.refresh()
    else:
        async with connected(core.databases["one"].url) as connection, connection.transaction():
            await connection.execute("select from players where id = $1 for update", player.id)
            assert await write(second, seen) == 1
    assert (await row(second, player))["seen"] == hour_of(player.created_at)
    assert await write(second, seen) == 1
    assert [(await row(second, each))["seen"] for each in (player, free)] == [HOUR, HOUR]


async def test_a_void_player_isnt_seen(core: Core) -> None:
    player, seen = await enlist(core), Sightings(Clock())
    async with connected(core.slots.owner("players", slot_of(player.id)).url) as connection:
        await connection.execute("update players set void = true where id = $1", player.id)
    seen.note(player.id)
    seen.note(player.id + 1)
    assert await write(core, seen) == 2, "there is nothing left to do"
    assert (await row(core, player))["seen"] == hour_of(player.created_at)


async def test_a_segment_by_hours_changes_as_players_are_seen(core: Core) -> None:
    first, second = await enlist_many(core, 2)
    clock = Clock()
    seen = Sightings(clock)
    for player in (first, second):
        seen.note(player.id)
        await write(core, seen)
        clock.at += timedelta(hours=1)

    async def found(**fields: datetime) -> list[int]:
        question = Question("seen_at", 5, segment=Segment(**fields))  # type: ignore[arg-type]
        return [player.id for player in (await core.rooms.operators.reports.rank(question)).players]

    later = HOUR + timedelta(hours=1)
    assert await found(seen_since=HOUR) == [second.id, first.id]
    assert await found(seen_since=later) == [second.id]
    assert await found(seen_since=HOUR, seen_until=later) == [first.id]
    assert await found(seen_since=HOUR + timedelta(microseconds=1), seen_until=later) == []
