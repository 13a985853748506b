"""Rankings and counts over all databases: exact, page by page, whatever they are by."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from gameserver.app import Core
from gameserver.commands import operations, rankings
from gameserver.commands.rankings import PlayerChoice
from gameserver.rules.errors import UnknownClass
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Player
from gameserver.storage.ids import SEQUENCE_BITS, SLOT_BITS, slot_of
from gameserver.storage.operators.questions import By, Question, Segment
from tests.support.deployment import connected, enlist, move_slot, slots_of
from tests.support.servers import SLOTS

START = datetime(2026, 1, 1, 0, 20, tzinfo=UTC)
HOUR = START.replace(minute=0)
CLASSES = ["mage", "priest"]
COLUMNS = ["slot", "id", "name", "class", "level", "hp", "exp", "version", "session_epoch", "void", "created_at",
           "exp_reached_at", "seen"]  # fmt: skip
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


def seen_of(player: Player) -> datetime | None:
    """When it was last seen, as it is stored; some never were."""
    return None if player.id % 3 == 0 else HOUR + timedelta(hours=player.id % 5)


def value_of(player: Player, by: By) -> Any:
    """What the player is ranked by: without having been seen, by the hour of its last EXP."""
    return seen_of(player) or HOUR if by == "seen_at" else getattr(player, by)


async def put(core: Core, crowd: list[Player], *, analyzed: bool = True) -> None:
    """In the databases' place of all that they had, with a void row beside them, and what copies left elsewhere.

    Unless they are `analyzed`, what Postgres knows of the table is from an earlier time.
    """
    for database in core.slots.databases("players"):
        owned_players = [player for player in crowd if core.slots.owner("players", slot_of(player.id)) is database]
        copies = [
            player._replace(exp=player.exp // 2, level=5, hp=7) for player in crowd[::3] if player not in owned_players
        ]
        slot = slots_of(core, database.name)[0]
        void = Player(slot << SEQUENCE_BITS, "", "mage", 1, 1, EXP_CAP, 1, START, START)
        rows = [
            (
                slot_of(p.id),
                p.id,
                p.name,
                p.class_name,
                p.level,
                p.hp,
                p.exp,
                1,
                0,
                p is void,
                p.created_at,
                START,
                seen_of(p),
            )
            for p in (*owned_players, *copies, void)
        ]
        async with connected(database.url) as connection:
            await connection.execute("truncate players")
            await connection.copy_records_to_table("players", records=rows, columns=COLUMNS)
            if analyzed:
                await connection.execute("analyze players")


async def walk(core: Core, question: Question) -> list[Player]:
    """A ranking by its pages, each as long as the question's limit but for the last."""
    players: list[Player] = []
    while True:
        ranking = await core.rooms.operators.reports.rank(question)
        players += ranking.players
        if not ranking.more:
            return players
        assert len(ranking.players) == question.limit
        last = ranking.players[-1]
        assert ranking.last(question.by) == (value_of(last, question.by), last.id)
        question = replace(question, after=ranking.last(question.by))


@settings(max_examples=40)
@given(
    crowd=crowds(),
    by=st.sampled_from(get_args(By)),
    descending=st.booleans(),
    limit=st.integers(1, 9),
    class_name=st.none() | st.sampled_from(CLASSES),
    levels=st.just((None, None)) | st.tuples(st.none() | st.integers(1, 4), st.none() | st.integers(1, 4)),
    analyzed=st.booleans(),
)
async def test_the_pages_of_a_ranking_are_the_whole_order_of_all_databases(
    core: Core,
    crowd: list[Player],
    by: By,
    descending: bool,
    limit: int,
    class_name: str | None,
    levels: tuple[int | None, int | None],
    analyzed: bool,
) -> None:
    await put(core, crowd, analyzed=analyzed)
    low, high = levels
    wanted = [
        player
        for player in sorted(crowd, key=lambda player: player.id)
        if class_name in (None, player.class_name) and (low or 0) <= player.level <= (high or 9)
    ]
    wanted.sort(key=lambda player: value_of(player, by), reverse=descending)
    walked = await walk(core, Question(by, limit, descending, Segment(class_name, low, high)))
    assert walked == wanted


@settings(max_examples=10)
@given(crowd=crowds())
async def test_the_counts_are_those_of_each_database_class_and_level(core: Core, crowd: list[Player]) -> None:
    await put(core, crowd)
    before = datetime.now(UTC) - timedelta(seconds=1)
    counts, as_of = await operations.stats(core.commands.operations)
    players_by_kind = {(count.database, count.class_name, count.level): count.players for count in counts}
    assert len(players_by_kind) == len(counts)
    assert players_by_kind == Counter(
        (core.slots.owner("players", slot_of(player.id)).name, player.class_name, player.level) for player in crowd
    )
    assert before < as_of < datetime.now(UTC) + timedelta(seconds=1)


async def test_pages_and_counts_stay_exact_while_slots_move_to_and_fro(core: Core, second: Core) -> None:
    """Reports over a map that is always stale count a player that moves once, and rows that a move has left never."""
    crowd = [
        Player(
            (number << SLOT_BITS | number % SLOTS) << SEQUENCE_BITS, "Ann", "mage", 1, 1, number // 3, 1, START, START
        )
        for number in range(1, 200)
    ]
    await put(core, crowd)
    wanted = sorted(crowd, key=lambda player: (-player.exp, player.id))
    moving = asyncio.Event()

    async def ask() -> int:
        questions = 0
        while not moving.is_set():
            assert await walk(second, Question("exp", 40)) == wanted
            assert sum(count.players for count in (await operations.stats(second.commands.operations))[0]) == len(crowd)
            questions += 1
        return questions

    asking = [asyncio.create_task(ask()) for _ in range(2)]
    for slot in [*range(0, SLOTS, 7)] * 2:
        await core.slots.refresh()
        await move_slot(core, slot, {"one": "two", "two": "one"}[core.slots.owner("players", slot).name])
    moving.set()
    assert min(await asyncio.gather(*asking)) >= 2


@pytest.mark.parametrize("owners", [0, 2])
async def test_while_a_slot_has_no_owner_or_two_there_is_no_answer_but_the_right_one(core: Core, owners: int) -> None:
    """As in snapshots between which it flips: the one of its new owner first, or the one of its old."""
    player = await enlist(core, database="one")
    slot = slot_of(player.id)
    wrong, name = (("one", False), "one") if owners == 0 else (("two", True), "two")
    await set_owned(core, slot, *wrong)
    if owners == 2:
        async with connected(core.databases["two"].url) as connection:
            row = (slot, player.id, "Ann", "mage", 9, 9, 9, 9, 0, False, START, START, None)
            await connection.copy_records_to_table("players", records=[row], columns=COLUMNS)
    ranking = asyncio.create_task(core.rooms.operators.reports.rank(Question("exp", 5)))
    done, _ = await asyncio.wait({ranking}, timeout=0.3)
    assert not done
    await set_owned(core, slot, name, owned=owners == 0)
    assert (await ranking).players == [player]


async def set_owned(core: Core, slot: int, database: str, owned: bool) -> None:
    async with connected(core.databases[database].url) as connection:
        statement = "insert into players_owned_slots values ($1, $2, 2) on conflict (slot) do update set owned = $2"
        await connection.execute(statement, slot, owned)


async def test_a_page_deep_inside_brings_no_more_rows_from_the_databases_than_the_first(core: Core) -> None:
    crowd = [
        Player((number << SLOT_BITS | number % SLOTS) << SEQUENCE_BITS, "Ann", "mage", 1, 1, number, 1, START, START)
        for number in range(1, 3000)
    ]
    await put(core, crowd)
    rows: list[int] = []
    for database in core.slots.databases("players"):
        event.listen(
            database.reports.sync_engine, "after_cursor_execute", lambda *arguments: rows.append(arguments[1].rowcount)
        )
    question = Question("exp", 10)
    fetched = []
    for after in (None, (1500, 0), (11, 0)):
        rows.clear()
        assert len((await core.rooms.operators.reports.rank(replace(question, after=after))).players) == 10
        fetched.append(sum(rows))
    assert min(fetched) > 10
    tries = 2
    assert max(fetched) <= 2 * (1 + tries * (question.limit + 1)) + question.limit


async def test_a_ranking_of_a_class_that_the_game_hasnt_is_refused(core: Core) -> None:
    with pytest.raises(UnknownClass):
        await rankings.resolved(core.commands.operations, core.commands.accounts, PlayerChoice(Segment("druid")))
