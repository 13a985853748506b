"""Segments of players over two databases: pages, one player's place, percentiles, histograms and exports."""

import math
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.exports import encoded
from gameserver.rules.errors import Overloaded, PlayerNotFound
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.operators import exports as exports_module
from gameserver.storage.operators import spreads, steps
from gameserver.storage.operators.questions import By, Question, Segment
from gameserver.storage.operators.spreads import SpreadQuestion
from gameserver.times import rfc3339
from tests.storage.operators.test_reports import CLASSES, START, crowds, put, value_of, walk
from tests.support.deployment import connected

PERCENTILES = (0.1, 25, 50, 99.9, 100)
numbers = st.none() | st.integers(1, 4)
moments = st.none() | st.integers(-1, 4).map(lambda number: START + timedelta(microseconds=number))

hours = st.none() | st.integers(0, 300).map(lambda minutes: START + timedelta(minutes=minutes))


@st.composite
def segments(draw: st.DrawFn) -> tuple[Segment, Callable[[Player], bool]]:
    """A segment of a crowd of which the players with an even id are banned, and who belongs to it."""
    segment = Segment(
        draw(st.none() | st.sampled_from(CLASSES)),
        draw(numbers),
        draw(numbers),
        draw(moments),
        draw(moments),
        draw(st.none() | st.booleans()),
        draw(st.sampled_from([None, "a", "AN", "b", "%"])),
        draw(st.sampled_from([None, "n", "NN", "_"])),
        draw(hours),
        draw(hours),
    )

    def belongs(player: Player) -> bool:
        begins, part = (segment.name_begins or "").lower(), (segment.name_part or "").lower()
        return (
            segment.class_name in (None, player.class_name)
            and (segment.min_level or 0) <= player.level <= (segment.max_level or 9)
            and (segment.created_since is None or player.created_at >= segment.created_since)
            and (segment.created_until is None or player.created_at < segment.created_until)
            and segment.banned in (None, player.id % 2 == 0)
            and player.name.lower().startswith(begins)
            and part in player.name.lower()
            and (segment.seen_since is None or value_of(player, "seen_at") >= segment.seen_since)
            and (segment.seen_until is None or value_of(player, "seen_at") < segment.seen_until)
        )

    return segment, belongs


def number(value: int | datetime) -> int:
    if isinstance(value, datetime):
        return (value - datetime.fromtimestamp(0, value.tzinfo)) // timedelta(microseconds=1)
    return value


def shown(player: Player) -> dict[str, object]:
    """A line of an export."""
    values = {
        "id": str(player.id),
        "name": player.name,
        "class": player.class_name,
        "created_at": rfc3339(player.created_at),
        "exp_reached_at": rfc3339(player.exp_reached_at),
        "banned": player.id % 2 == 0,
        "seen_at": rfc3339(value_of(player, "seen_at")),
    }
    return {name: values.get(name) or getattr(player, name, False) for name in exports_module.COLUMNS}


async def ban_the_even(core: Core) -> None:
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            await connection.execute("update players set banned = id % 2 = 0")


@settings(max_examples=12)
@given(
    crowd=crowds(), by=st.sampled_from(get_args(By)), descending=st.booleans(), drawn=segments(), bars=st.integers(1, 9)
)
async def test_pages_places_spreads_and_exports_of_a_segment_agree_with_its_players(
    core: Core,
    crowd: list[Player],
    by: By,
    descending: bool,
    drawn: tuple[Segment, Callable[[Player], bool]],
    bars: int,
) -> None:
    await put(core, crowd)
    await ban_the_even(core)
    segment, belongs = drawn
    wanted = sorted(filter(belongs, crowd), key=lambda player: player.id)
    wanted.sort(key=lambda player: value_of(player, by), reverse=descending)
    question = Question(by, 3, descending, segment)
    assert await walk(core, question) == wanted

    async with aclosing(core.rooms.operators.exports.ranking(question, "ndjson")) as parts:
        rows = [orjson.loads(line) async for part in parts for line in part]
    assert rows == [shown(player) for player in wanted]
    async with aclosing(core.rooms.operators.exports.ranking(question, "csv")) as parts:
        lines = [line async for part in parts for line in part]
    assert "".join(lines).encode() == encoded(rows, exports_module.COLUMNS, "csv")

    for player in crowd[:2]:
        place = await core.rooms.operators.spreads.place(question, player.id)
        assert (place.rank, place.of) == (wanted.index(player) + 1 if player in wanted else None, len(wanted))
        assert place.value == value_of(player, by)

    spread = await core.rooms.operators.spreads.spread(SpreadQuestion(by, segment, PERCENTILES, bars))
    values = sorted(number(value_of(player, by)) for player in wanted)
    assert spread.players == len(values)
    if not values:
        assert (spread.least, spread.most, spread.percentiles, list(spread.histogram)) == (None, None, {}, [])
        return
    assert (spread.least, spread.most) == (values[0], values[-1])
    nearest = {each: values[max(1, math.ceil(round(each * len(values) / 100, 9))) - 1] for each in PERCENTILES}
    assert spread.percentiles == nearest
    assert [sum(bar.first <= value <= bar.last for value in values) for bar in spread.histogram] == [
        bar.players for bar in spread.histogram
    ]
    assert sum(bar.players for bar in spread.histogram) == len(values)
    assert 1 <= len(spread.histogram) <= bars


@pytest.mark.parametrize("by", ["exp", "created_at"])
async def test_percentiles_of_many_are_narrowed_down_and_stay_exact(
    core: Core, by: By, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreads, "FETCHED", 10)
    monkeypatch.setattr(spreads, "STEPS", 3)
    crowd = [
        Player(
            (1 << 40) + (each % 64 << 10) + each // 64, "Ann", "mage", 1, 1, each**3, 1,
            START + timedelta(seconds=each**3), START,
        )
        for each in range(500)
    ]  # fmt: skip
    await put(core, crowd)
    spread = await core.rooms.operators.spreads.spread(SpreadQuestion(by, Segment(), PERCENTILES, 7))
    values = [number(value_of(player, by)) for player in crowd]
    assert spread.percentiles == {0.1: values[0], 25: values[124], 50: values[249], 99.9: values[499], 100: values[499]}
    assert sum(bar.players for bar in spread.histogram) == 500
    assert (spread.least, spread.most) == (values[0], values[-1])
    ideal = (values[-1] - values[0] + 1) / 7
    assert all(abs(bar.last - bar.first + 1 - ideal) <= ideal / spreads.FINE + 1 for bar in spread.histogram)


@pytest.mark.parametrize("by", ["exp", "created_at"])
async def test_a_spread_is_exact_whatever_statistics_say(core: Core, by: By, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are of three players with little EXP, while there are now many with much, and one with far more."""
    for module, name, limit in ((steps, "MANY", 250), (spreads, "FETCHED", 100), (spreads, "STEPS", 100)):
        monkeypatch.setattr(module, name, limit)
    few = [player_with(each) for each in range(3)]
    await put(core, few)
    crowd = [*(player_with(1000 + 50 * each) for each in range(600)), player_with(10**9)]
    await put(core, crowd, analyzed=False)
    for bars, part in ((5, crowd), (200, crowd[:100])):
        segment = Segment(created_until=None if part is crowd else part[-1].created_at + timedelta(microseconds=1))
        spread = await core.rooms.operators.spreads.spread(SpreadQuestion(by, segment, (50,), bars))
        values = [number(value_of(player, by)) for player in part]
        assert (spread.players, spread.least, spread.most) == (len(part), values[0], values[-1])
        assert spread.percentiles == {50: values[math.ceil(len(part) / 2) - 1]}
        assert [sum(bar.first <= value <= bar.last for value in values) for bar in spread.histogram] == [
            bar.players for bar in spread.histogram
        ]


def player_with(number: int) -> Player:
    player_id = (1 << 40) + (number % 64 << 10) + number // 64 % 1024
    return Player(player_id, "Ann", "mage", 1, 1, number, 1, START + timedelta(seconds=number), START)


async def test_a_segment_can_be_who_is_connected_or_who_isnt(core: Core) -> None:
    crowd = [Player((1 << 40) + (number << 10), "Ann", "mage", 1, 1, number, 1, START, START) for number in range(9)]
    await put(core, crowd)
    connected_ids = [player.id for player in crowd[2:5]]
    online = await walk(core, Question("exp", 2, segment=Segment(online=connected_ids)))
    offline = await walk(core, Question("exp", 2, segment=Segment(offline=connected_ids)))
    assert sorted(player.id for player in online) == connected_ids
    assert {player.id for player in offline} == {player.id for player in crowd} - set(connected_ids)
    assert await walk(core, Question("exp", 2, segment=Segment(online=()))) == []
    assert len(await walk(core, Question("exp", 2, segment=Segment(offline=())))) == 9
    both = Segment(online=connected_ids, ids=(crowd[0].id, crowd[3].id))
    assert await walk(core, Question("exp", 2, segment=both)) == [crowd[3]]


async def test_a_player_that_doesnt_exist_has_no_place(core: Core) -> None:
    with pytest.raises(PlayerNotFound):
        await core.rooms.operators.spreads.place(Question("exp", 1), 1 << 40)


async def test_an_export_is_of_one_moment_of_each_database_and_one_runs_at_a_time(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports_module, "CHUNK", 300)
    crowd = [Player((1 << 40) + (each << 10), "Ann", "mage", 1, 1, each, 1, START, START) for each in range(1500)]
    crowd = [player for player in crowd if slot_of(player.id) < 64]
    crowd += [player._replace(id=player.id + place) for place in range(1, 40) for player in crowd]
    await put(core, crowd)
    exports, question = core.rooms.operators.exports, Question("exp", 1)
    async with aclosing(exports.ranking(question, "ndjson")) as parts:
        rows = list(await anext(parts))
        assert len(rows) < len(crowd)
        with pytest.raises(Overloaded):
            await anext(exports.ranking(question, "csv"))
        for database in core.slots.databases("players"):
            async with connected(database.url) as connection:
                await connection.execute("update players set exp = 0")
        rows += [row async for part in parts for row in part]
    ids = [int(orjson.loads(row)["id"]) for row in rows]
    assert ids == [p.id for p in sorted(crowd, key=lambda player: (-player.exp, player.id))]
    async with aclosing(exports.ranking(replace(question, by="level"), "ndjson")) as parts:
        assert {orjson.loads(row)["exp"] for row in await anext(parts)} == {0}


NAMES = (
    "=1+1",
    "  @sum(a1)",
    "+1",
    "-1",
    "\uff1d1",
    "\t=1",
    'a,"b"',
    "a,b",
    "=a,b",
    "line\nbreak",
    "  ",
    "두리",
    "O'Brien",
    "\x01",
)


async def test_the_databases_write_lines_as_the_server_would(core: Core) -> None:
    at = START + timedelta(microseconds=1_999)
    crowd = [
        Player((1 << 40) + (each << 10), name, "=mage" if each % 2 else "mage", 1, 1, each, 1, at, at)
        for each, name in enumerate(NAMES)
    ]
    await put(core, crowd)
    question, exports = Question("exp", 1, descending=False), core.rooms.operators.exports
    async with aclosing(exports.ranking(question, "ndjson")) as parts:
        rows = [orjson.loads(line) async for part in parts for line in part]
    assert [(row["name"], row["created_at"]) for row in rows] == [(name, rfc3339(at)) for name in NAMES]
    async with aclosing(exports.ranking(question, "csv")) as parts:
        text = "".join([line async for part in parts for line in part])
    assert text.encode() == encoded(rows, exports_module.COLUMNS, "csv")


async def test_an_export_that_is_left_early_while_it_fetches_ahead_holds_nothing(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports_module, "CHUNK", 2)
    crowd = [Player((1 << 40) + (each << 10), "Ann", "mage", 1, 1, each, 1, START, START) for each in range(9)]
    await put(core, crowd)
    for _ in range(3):
        async with aclosing(core.rooms.operators.exports.ranking(Question("exp", 1), "csv")) as parts:
            await anext(parts)
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            await connection.execute("set lock_timeout = '5s'")
            await connection.execute("truncate players")
