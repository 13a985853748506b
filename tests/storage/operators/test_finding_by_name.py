"""Players are found by parts and beginnings of their names, exactly, whatever these consist of, and by an index."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unicodedata import normalize

import asyncpg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.rules.player import Player
from gameserver.storage.ids import SEQUENCE_BITS, SLOT_BITS, slot_of
from gameserver.storage.operators import common_names, parts, reports
from gameserver.storage.operators.exports import driver_form
from gameserver.storage.operators.questions import PLAYERS, Question, Segment
from gameserver.storage.operators.spreads import SpreadQuestion
from gameserver.storage.postgres.link import HOT_PATH, Link
from tests.storage.operators.test_reports import START, put, walk
from tests.storage.players.test_plans import commit
from tests.support.deployment import connected, enlist, move_slot
from tests.support.servers import SLOTS

LETTERS = "aAbBzß'-_. 0İıΣςσäÄﬀＡａж ЖЯ가나é\u0301ǆ"
PARTS = LETTERS + "%\\^&|!:*()<>\"'"
names = st.text(LETTERS, min_size=1, max_size=9)


def folded(text: str) -> str:
    """As a database does it: NFKC, then each letter's simple form in lower case (UnicodeData.txt)."""
    simple = [c.lower() if len(c.lower()) == 1 else c.lower()[0] for c in normalize("NFKC", text)]
    return "".join(simple).replace("ς", "σ")


def crowd_of(named: list[str]) -> list[Player]:
    """A player of each name, one after the other over all slots."""
    return [
        Player(
            (number << SLOT_BITS | number % SLOTS) << SEQUENCE_BITS, name, "mage", 1, 1, number // 3, 1, START, START
        )
        for number, name in enumerate(named, start=1)
    ]


def ranked(crowd: list[Player]) -> list[Player]:
    return sorted(crowd, key=lambda player: (-player.exp, player.id))


@settings(max_examples=25)
@given(
    named=st.lists(names, max_size=25),
    part=st.text(PARTS, min_size=1, max_size=5),
    start=st.integers(0, 8),
    length=st.integers(1, 9),
    analyzed=st.booleans(),
)
@example(named=["Ann", "ann\\", "a%n"], part="%", start=0, length=1, analyzed=True)
@example(named=["aabab", "aab", "abaab"], part="abab", start=0, length=4, analyzed=True)
@example(named=["ΟΔΥΣΣΕΥΣ", "οδυσσευς"], part="ευς", start=5, length=3, analyzed=True)
async def test_who_is_found_has_the_part_and_everyone_who_has_it_is_found(
    core: Core, named: list[str], part: str, start: int, length: int, analyzed: bool
) -> None:
    crowd = crowd_of(named)
    await put(core, crowd, analyzed=analyzed)
    own = named[0][start : start + length] if named else ""
    for wanted in filter(None, (part, own, own.swapcase())):
        has = [player for player in crowd if folded(wanted) in folded(player.name)]
        begins = [player for player in crowd if folded(player.name).startswith(folded(wanted))]
        assert await walk(core, Question("exp", 3, segment=Segment(name_part=wanted))) == ranked(has), wanted
        assert await walk(core, Question("exp", 3, segment=Segment(name_begins=wanted))) == ranked(begins), wanted
        assert await core.rooms.operators.recipients.count(Segment(name_part=wanted)) == len(has)


async def test_a_part_that_many_have_is_paged_through_by_bounds(core: Core) -> None:
    crowd = crowd_of([f"Demo {number:05}" for number in range(1, 2000)])
    await put(core, crowd)
    for segment in (Segment(name_part="EMO 0"), Segment(name_begins="demo")):
        question = Question("exp", 90, segment=segment)
        assert await are_common(core, question) == [True, True]
        assert await walk(core, question) == ranked(crowd)
        assert await walk(core, replace(question, descending=False)) == sorted(crowd, key=lambda p: (p.exp, p.id))
    few = [player for player in crowd if "77" in player.name]
    question = Question("exp", 7, segment=Segment(name_part="77"))
    assert await are_common(core, question) == [False, False]
    assert await walk(core, question) == ranked(few)


async def test_words_that_many_have_together_are_expected_together(core: Core) -> None:
    """Each of the words of `dragon` is as common as all of them: a plan multiplies their shares."""
    crowd = crowd_of([f"{'Dragon' if number % 3 else 'Hero'}{number:04}" for number in range(1, 1500)])
    await put(core, crowd)
    for segment, common in (
        (Segment(name_part="dragon"), True),
        (Segment(name_begins="DRAGON"), True),
        (Segment(name_part="dragon", class_name="mage"), True),
        (Segment(name_part="r"), True),
        (Segment(name_part="gonhero"), False),
        (Segment(name_part="q"), False),
        (Segment(name_part="용사"), False),
        (Segment(class_name="mage"), False),
    ):
        question = Question("exp", 100, segment=segment)
        assert await are_common(core, question) == [common, common], segment
        has = [player for player in crowd if all(folded(word) in folded(player.name) for word in words_of(segment))]
        for by in ("exp", "created_at"):
            assert {player.id for player in await walk(core, replace(question, by=by))} == {each.id for each in has}


def words_of(segment: Segment) -> list[str]:
    return [word for word in (segment.name_part, segment.name_begins) if word is not None]


@pytest.mark.parametrize("part", ["dragon", "용사"])
async def test_a_name_that_many_have_is_read_in_the_order_of_creation_until_the_page_is_full(
    core: Core, part: str
) -> None:
    """By the rows that a database looks at: by time everything would be quick here."""
    crowd = crowd_of([f"{part if number % 2 else 'hero'}{number:05}" for number in range(1, 6000)])
    await put(core, [each._replace(created_at=START + timedelta(seconds=at)) for at, each in enumerate(crowd)])
    question = Question("created_at", 50, segment=Segment(name_part=part))
    assert await are_common(core, question) == [True, True]
    query, arguments = driver_form(reports.keys_in_order(question, parts.counted([])))
    async with connected(core.databases["one"].url) as connection:
        await connection.execute("vacuum analyze players")
        await connection.execute("set plan_cache_mode = force_custom_plan")
        await connection.execute("set enable_seqscan = off")  # so few rows are sorted as quickly
        plan = await connection.fetchval(f"explain (analyze, format json) {query}", *arguments)
    (scan,) = [each for each in nodes_of(json.loads(plan)[0]["Plan"]) if each["Node Type"] == "Index Scan"]
    assert scan["Index Name"] == "players_created_at"
    assert scan["Actual Rows"] <= 200, "a page is 51 of the 2,000 or so of this database that have the name"


def nodes_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes_of(child))]


async def test_folding_is_written_into_the_statement_and_leaves_plain_names_unnormalized(core: Core) -> None:
    """A function that is called for each name takes several times as long."""
    async with connected(core.databases["one"].url) as connection:
        plan = await connection.fetch("explain verbose select name_folded(name) from players")
        assert "CASE WHEN (octet_length(" in str(plan)
        assert await connection.fetchval("select name_folded(null)") is None


async def are_common(core: Core, question: Question, least: float = common_names.MOST) -> list[bool]:
    """Whether each database takes the name for one that many have, and so compares names in the page's order."""
    shares = await core.rooms.operators.reports.over_all(
        lambda opened: parts.gathered(common_names.share_of(part.ask, question.segment) for part in opened)
    )
    return [share >= least for share in shares]


async def for_all(core: Core, segment: Segment) -> list[Segment]:
    return await core.rooms.operators.reports.over_all(
        lambda opened: parts.gathered(common_names.for_all(part.ask, segment) for part in opened)
    )


async def test_nobody_makes_words_of_names_that_most_have(core: Core) -> None:
    """By the statements that databases get: all answers are the same with the words and without, and far slower."""
    crowd = crowd_of([f"{'Demo' if number % 3 else 'Hero'} {number:05}" for number in range(1, 3000)])
    await put(core, crowd)
    async with connected(core.databases["one"].url) as one, connected(core.databases["two"].url) as two:
        for connection in (one, two):
            await connection.execute("vacuum analyze players")
    demos = [player for player in ranked(crowd) if player.name.startswith("Demo")]
    operators, everyone = core.rooms.operators, Segment(name_part="emo")
    for segment, is_common in ((everyone, True), (Segment(name_part="emo 00042"), False)):
        suited = await for_all(core, segment)
        assert [each.has_words for each in suited] == [not is_common] * 2
        assert [" ".join(map(str, each.conditions())).count("name_parts") for each in suited] == [
            int(not is_common)
        ] * 2
    spread = await operators.spreads.spread(SpreadQuestion("exp", everyone, [50], 5))
    assert (spread.players, spread.least, spread.most) == (len(demos), demos[-1].exp, demos[0].exp)
    place = await operators.spreads.place(Question("exp", 1, segment=everyone), demos[7].id)
    assert (place.rank, place.of) == (8, len(demos))
    assert await operators.recipients.count(everyone) == len(demos)
    exported = [line async for part in operators.exports.ranking(Question("exp", 1, segment=everyone), "ndjson")
                for line in part]  # fmt: skip
    assert [json.loads(line)["id"] for line in exported] == [str(player.id) for player in demos]


@pytest.mark.parametrize(
    "segment", [Segment(name_part="o 0042"), Segment(name_begins="demo 0042"), Segment(name_part="가")]
)
async def test_a_part_that_few_have_is_looked_up_in_the_index(core: Core, segment: Segment) -> None:
    """Alone a plan can show it: by time both would be quick here."""
    await put(core, crowd_of([f"Demo {number:05}" for number in range(1, 8000)]))
    keys = Question("exp", 100, segment=segment).select([PLAYERS.c.id], [parts.counted([])])
    query, arguments = driver_form(keys)
    async with connected(core.databases["one"].url) as connection:
        await connection.execute("vacuum players")
        await connection.execute("set plan_cache_mode = force_custom_plan")
        plan = "\n".join(row[0] for row in await connection.fetch(f"explain {query}", *arguments))
    assert "Bitmap Index Scan on players_name_parts" in plan


async def test_actions_leave_the_index_of_names_alone(core: Core) -> None:
    """Their updates stay within the page (HOT), which an index on what they change would end."""
    player = await enlist(core, database="one")
    link = Link(core.databases["one"], HOT_PATH)
    connection = await link.open()
    before = await hot(connection)
    for version in range(2, 12):
        await commit(connection, player.id, version)
    after = await hot(connection)
    await link.close()
    assert (after[0] - before[0], after[1] - before[1]) == (10, 10)


async def hot(connection: asyncpg.Connection) -> tuple[int, int]:
    """Updates of players so far, and how many of them were HOT."""
    await connection.execute("select pg_stat_force_next_flush()")
    row = await connection.fetchrow(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'players'"
    )
    return row[0], row[1]


async def test_names_stay_out_of_what_postgres_keeps_as_statistics(core: Core) -> None:
    await put(core, crowd_of(["Brunhild"] * 300 + [f"Single {number}" for number in range(300)]))
    async with connected(core.databases["one"].url) as connection:
        values = "concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text)"
        rows = await connection.fetch(f"select attname, {values} from pg_stats where tablename like 'players%'")
    shown = {row[0]: row[1].lower() for row in rows}
    assert "bru" in shown["name_parts"]
    assert not [row for row in shown.items() if "brun" in row[1] or "sing" in row[1]]


async def test_a_player_is_found_once_while_its_slot_moves_to_and_fro(core: Core, second: Core) -> None:
    crowd = crowd_of([f"Demo {number:03}" for number in range(200)])
    await put(core, crowd)
    wanted = [player for player in ranked(crowd) if "7" in player.name]
    moved = asyncio.Event()

    async def ask() -> int:
        questions = 0
        while not moved.is_set():
            assert await walk(second, Question("exp", 9, segment=Segment(name_part="7"))) == wanted
            questions += 1
        return questions

    asking = asyncio.create_task(ask())
    for slot in sorted({slot_of(player.id) for player in wanted})[:6] * 2:
        await core.slots.refresh()
        await move_slot(core, slot, {"one": "two", "two": "one"}[core.slots.owner("players", slot).name])
    moved.set()
    assert await asking >= 2
