"""What one page of a player's past costs is bounded, however much the player has done, and whatever was refused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any

import asyncpg
import orjson
import pytest

from gameserver.app import Core
from gameserver.storage.ids import new_command_id, slot_of
from gameserver.storage.ledger.history import SQL, History
from gameserver.storage.ledger.past import SQL as PAST
from gameserver.storage.ledger.past import Past, PastRow, TimelineFilter
from gameserver.storage.operators.exports import driver_form
from gameserver.storage.slots.scanned_pages import NEWEST, SCANNED
from tests.support.deployment import act, connected, enlist

ROWS = 6_000
FILL = """
insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at)
select l.slot, l.player_id, (left($2, 19) || '8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'hunt', '{}', $3, l.outcome,
       n + 1, now()
from ledger l, generate_series(1, $4::int) n where l.player_id = $1 and l.version = 1 and l.seed >= 0
"""
"""Rows whose ids follow each other."""
MOST_BLOCKS = 150
"""A page's own rows are some tens of blocks; all of the player's are over 300, and twice as many index entries."""


@pytest.fixture
async def one(core: Core) -> AsyncIterator[asyncpg.Connection]:
    async with connected(core.databases["one"].url) as connection:
        yield connection


async def filled(core: Core, one: asyncpg.Connection, *, seed: int) -> int:
    """A player with ROWS more, and statistics that know of them."""
    player = await enlist(core, database="one")
    await one.execute(FILL, player.id, new_command_id(int(core.rooms.clock.now().timestamp() * 1000)), seed, ROWS)
    await one.execute("analyze ledger")
    return player.id


async def blocks(one: asyncpg.Connection, statement: str, *arguments: object) -> int:
    """How many blocks a statement looks at."""
    (row,) = await one.fetch(f"explain (analyze, buffers, format json) {statement}", *arguments)
    plan: dict[str, Any] = orjson.loads(row[0])[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


async def test_a_page_of_the_ledger_costs_its_own_rows_wherever_it_begins(core: Core, one: asyncpg.Connection) -> None:
    player_id = await filled(core, one, seed=5)
    middle = await one.fetchval(
        "select command_id::text from ledger where player_id = $1 and version = $2", player_id, 9
    )
    for before in (NEWEST, middle):
        arguments = ([slot_of(player_id)], [player_id], [201], [before], [SCANNED])
        assert await blocks(one, SQL["page"], *arguments) < MOST_BLOCKS
    corrections = str(PAST["corrections"]).replace(":slot", str(slot_of(player_id))).replace(":id", str(player_id))
    assert await blocks(one, corrections) < MOST_BLOCKS


FILTERS: list[dict[str, object]] = [
    {},
    {"actions": ["sign_up", "hunt"]},
    {"actions": ["rest"]},
    {"since": datetime(2020, 1, 1, tzinfo=UTC)},
    {"until": datetime(2020, 1, 1, tzinfo=UTC)},
]
"""What an operator may ask of a timeline: all, many, none of the rows fit."""


@pytest.mark.parametrize("chosen", FILTERS)
async def test_a_page_of_an_operators_timeline_is_bounded_and_its_pages_join_up_to_the_whole(
    core: Core, one: asyncpg.Connection, chosen: dict[str, Any]
) -> None:
    player_id = await filled(core, one, seed=5)
    await one.execute("update ledger set action = 'heal' where player_id = $1 and version % 3 = 0", player_id)
    rows, pages, wanted = list[PastRow](), 0, TimelineFilter(200, **chosen)
    while pages == 0 or wanted.before is not None:
        page = await core.commands.corrections.pasts.look(player_id, partial(Past.timeline, wanted=wanted))
        rows += page.rows
        wanted, pages = wanted._replace(before=page.cursor), pages + 1
        assert len(page.rows) <= wanted.limit
    every = await one.fetch(
        "select command_id::text as id, action from ledger where player_id = $1 order by command_id desc", player_id
    )
    none_fit = "until" in chosen or chosen.get("actions") == ["rest"]
    fits = [row["id"] for row in every if not none_fit and row["action"] in chosen.get("actions", [row["action"]])]
    assert [row.command_id for row in rows] == fits
    assert pages >= ROWS // SCANNED


async def test_a_page_of_an_operators_timeline_costs_its_own_rows_whatever_it_asks_for(
    core: Core, one: asyncpg.Connection
) -> None:
    player_id = await filled(core, one, seed=5)
    middle = await one.fetchval(
        "select command_id::text from ledger where player_id = $1 and version = $2", player_id, ROWS // 2
    )
    for before, actions in product((NEWEST, middle), ([], ["hunt"], ["rest"])):
        named = {"slot": slot_of(player_id), "id": player_id, "limit": 201, "before": before, "scanned": SCANNED}
        filters = {"actions": actions, "since": None, "until": None}
        query, arguments = driver_form(PAST["timeline"].bindparams(**named, **filters))
        assert await blocks(one, query, *arguments) < MOST_BLOCKS


async def test_commands_that_were_refused_are_passed_over_page_by_page(core: Core, one: asyncpg.Connection) -> None:
    player_id = await filled(core, one, seed=-1)
    history, actions, cursor, pages = History(core.slots), list[str](), None, 0
    while pages == 0 or cursor is not None:
        page = await history.page(player_id, 5, cursor)
        actions += [entry.action for entry in page.rows]
        cursor, pages = page.cursor, pages + 1
    assert (actions, pages) == (["sign_up"], ROWS // SCANNED + 1)
    arguments = ([slot_of(player_id)], [player_id], [6], [NEWEST], [SCANNED])
    assert await blocks(one, SQL["page"], *arguments) < MOST_BLOCKS


async def test_a_feed_is_made_of_the_newest_commands_though_most_were_refused(
    core: Core, one: asyncpg.Connection
) -> None:
    player_id = await filled(core, one, seed=-1)
    version = (await act(core, player_id)).player.version
    assert await feed(core, player_id, version) == ["hunt"], "the sign-up lies behind what is looked at"


async def test_a_feed_that_lacks_what_lies_behind_refused_commands_is_cached_nevertheless(
    core: Core, one: asyncpg.Connection
) -> None:
    player_id = await filled(core, one, seed=-1)
    assert await feed(core, player_id, 1) == []
    await one.execute("update ledger set seed = 5 where player_id = $1", player_id)
    assert await feed(core, player_id, 1) == [], "the ledger is looked at again"
    assert await feed(core, player_id, 2) == ["hunt"] * 50


async def feed(core: Core, player_id: int, version: int) -> list[str]:
    """The actions in it, the newest first."""
    return [orjson.loads(entry)["action"] for entry in await core.rooms.social.feeds.of(player_id, version, 50)]
