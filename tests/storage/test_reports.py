"""Rankings and counts over all databases: exact, page by page, whatever they are by."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.commands import admin
from gameserver.rules.errors import UnknownClass
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Player
from gameserver.storage.ids import SEQUENCE_BITS, slot_of
from gameserver.storage.reports import By, Question
from tests.servers import SLOTS
from tests.storage.deployment import connected

START = datetime(2026, 1, 1, tzinfo=UTC)
CLASSES = ["mage", "priest"]
moments = st.integers(0, 3) | st.integers(0, 10**14)


@st.composite
def crowds(draw: st.DrawFn) -> list[Player]:
    """Players with few values, so that many are equal, and the extremes."""
    keys = draw(st.lists(st.integers(0, (SLOTS << SEQUENCE_BITS) - 1), max_size=40, unique=True))
    return [
        Player(
            (1 << 30 << SEQUENCE_BITS) | key,
            "Ann",
            draw(st.sampled_from(CLASSES)),
            draw(st.integers(1, 4)),
            draw(st.integers(0, 3)),
            draw(st.integers(0, 3) | st.sampled_from([EXP_CAP, EXP_CAP - 1])),
            1,
            START + timedelta(microseconds=draw(moments)),
            START,
        )
        for key in keys
    ]


async def put(core: Core, crowd: list[Player]) -> None:
    """In the databases' place of all that they had, with a void row beside them."""
    for database in core.slots.databases("players"):
        mine = [each for each in crowd if core.slots.owner("players", slot_of(each.id)) is database]
        rows = [
            (slot_of(p.id), p.id, p.name, p.class_name, p.level, p.hp, p.exp, 1, 0, False, p.created_at, START)
            for p in mine
        ]
        slot = next(s for s in range(SLOTS) if core.slots.owner("players", s) is database)
        void = (slot, slot << SEQUENCE_BITS, "", "mage", 1, 1, EXP_CAP, 1, 0, True, START, START)
        async with connected(database.url) as connection:
            await connection.execute("truncate players")
            await connection.copy_records_to_table("players", records=[*rows, void])


@settings(max_examples=25)
@given(
    crowd=crowds(),
    by=st.sampled_from(get_args(By)),
    descending=st.booleans(),
    limit=st.integers(1, 9),
    class_name=st.none() | st.sampled_from(CLASSES),
    levels=st.tuples(st.none() | st.integers(1, 4), st.none() | st.integers(1, 4)),
)
async def test_the_pages_of_a_ranking_are_the_whole_order_of_all_databases(
    core: Core,
    crowd: list[Player],
    by: By,
    descending: bool,
    limit: int,
    class_name: str | None,
    levels: tuple[int | None, int | None],
) -> None:
    await put(core, crowd)
    low, high = levels
    wanted = [
        each
        for each in sorted(crowd, key=lambda each: each.id)
        if class_name in (None, each.class_name) and (low or 0) <= each.level <= (high or 9)
    ]
    wanted.sort(key=lambda each: getattr(each, by), reverse=descending)
    found: list[Player] = []
    after = None
    while True:
        question = Question(by, limit, descending, class_name, low, high, after)
        ranking = await core.backend.reports.rank(question)
        found += ranking.players
        if not ranking.more:
            break
        assert len(ranking.players) == limit
        last = ranking.players[-1]
        after = (getattr(last, by), last.id)
    assert found == wanted


@settings(max_examples=10)
@given(crowd=crowds())
async def test_the_counts_are_those_of_each_database_class_and_level(core: Core, crowd: list[Player]) -> None:
    await put(core, crowd)
    before = datetime.now(UTC) - timedelta(seconds=1)
    counts, as_of = await admin.stats(core.backend)
    found = {(each.database, each.class_name, each.level): each.players for each in counts}
    assert len(found) == len(counts)
    assert found == Counter(
        (core.slots.owner("players", slot_of(each.id)).name, each.class_name, each.level) for each in crowd
    )
    assert before < as_of < datetime.now(UTC) + timedelta(seconds=1)


async def test_a_ranking_of_a_class_that_the_game_hasnt_is_refused(core: Core) -> None:
    with pytest.raises(UnknownClass):
        await admin.rank(core.backend, Question("exp", 5, class_name="druid"))
