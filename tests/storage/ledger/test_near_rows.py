"""A player's past is found among the rows near a moment, and is the same as the whole ledger has it."""

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
import orjson
import pytest

from gameserver.app import Core
from gameserver.storage.ids import first_command_id, new_command_id, slot_of
from gameserver.storage.ledger.past import SQL as PAST
from gameserver.storage.ledger.past import Past, PastRow, id_near
from gameserver.storage.operators.exports import driver_form
from gameserver.storage.slots.scanned_pages import NEWEST, SCANNED
from tests.support.deployment import connected, enlist

ROWS = 7_000
STEP = timedelta(milliseconds=500)
INSERT = """
insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at)
select $1, $2, r.id::uuid, 'hunt', '{}', r.seed, r.outcome::json, r.version, r.at
from unnest($3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::timestamptz[]) r (id, seed, outcome, version, at)
"""


class Filled(NamedTuple):
    """A player with ROWS rows; `began` is the moment of the first one."""

    player_id: int
    began: datetime


@pytest.fixture
async def one(core: Core) -> AsyncIterator[asyncpg.Connection]:
    async with connected(core.databases["one"].url) as connection:
        yield connection


def odd_id(at: datetime, dice: random.Random) -> str:
    """Most clients send ids of now; some had to wait for hours, and clocks differ."""
    late = dice.choice((0, 0, 0, 0, 0, -250, 0, -90_000_000, 290_000))
    return new_command_id(int(at.timestamp() * 1000) + late)


async def fill(core: Core, one: asyncpg.Connection, dice: random.Random | None, data_every: int | None) -> Filled:
    """Rows with ids in order, or, with dice, odd ones, of which some were refused."""
    player = await enlist(core, database="one")
    began = core.rooms.clock.now() - ROWS * STEP
    outcome = orjson.loads(await one.fetchval("select outcome::text from ledger where player_id = $1", player.id))
    rows, version = list[tuple[str, int, str, int, datetime]](), 1
    for number in range(ROWS):
        at = began + number * STEP
        seed = -1 if dice is not None and dice.random() < 0.1 else 5
        version += seed > 0
        has_data = data_every is not None and version % data_every == 0
        told = orjson.dumps(outcome | ({"data": {"n": version}} if has_data else {})).decode()
        command_id = new_command_id(int(at.timestamp() * 1000)) if dice is None else odd_id(at, dice)
        rows.append((command_id, seed, told, version, at))
    await one.execute("update ledger set at = $2 where player_id = $1", player.id, began - STEP)
    await one.execute(INSERT, slot_of(player.id), player.id, *map(list, zip(*rows, strict=True)))
    await one.execute("update players set version = $2 where id = $1", player.id, version)
    await one.execute("analyze ledger")
    return Filled(player.id, began)


async def whole(past: Past, statement: str, **named: object) -> list[tuple[object, ...]]:
    """What a statement over the whole ledger says."""
    named = {"slot": slot_of(past.player.id), "id": past.player.id, **named}
    return [tuple(row) for row in await past.connection.execute(PAST[statement], named)]


@pytest.mark.family(2)
@pytest.mark.parametrize("data_every", [None, 1, 400, 6000])
async def test_what_is_near_a_moment_is_what_the_whole_ledger_says(
    core: Core, one: asyncpg.Connection, data_every: int | None
) -> None:
    dice = random.Random(14)
    filled = await fill(core, one, dice, data_every)

    async def compare(past: Past) -> None:
        for _ in range(12):
            moment = filled.began + dice.randrange(-3, ROWS + 3) * STEP
            [(version,)] = await whole(past, "version_at", moment=moment)
            assert await past.version_at(moment) == version
            last = dice.randint(1, past.player.version)
            first, limit = max(1, last - dice.choice((0, 7, 200, 2000))), dice.choice((1, 50, 2500))
            told = await whole(past, "rows", first=first, last=last, limit=limit)
            for near in (NEWEST, id_near(moment)):
                rows = await past.rows(first, last, limit, near)
                assert [(row.command_id, row.version) for row in rows] == [(each[0], each[4]) for each in told]
            remembered = await whole(past, "data", version=last)
            expected = orjson.loads(str(remembered[0][0])) if remembered else {}
            assert dict(await past.data(last, rows[0].command_id)) == expected

    await core.commands.corrections.pasts.look(filled.player_id, compare)


async def test_a_ledger_whose_ids_are_in_order_is_never_read_as_a_whole(
    core: Core, one: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = await fill(core, one, None, data_every=500)
    for statement in ("version_at", "rows", "data"):
        monkeypatch.delitem(PAST, statement)

    async def look(past: Past) -> list[PastRow]:
        moment = filled.began + 3000 * STEP
        version = await past.version_at(moment)
        assert version == 3002
        assert await past.version_at(core.rooms.clock.now()) == past.player.version
        rows = await past.rows(version - 200, version, 201, id_near(moment))
        assert await past.data(version, rows[0].command_id) == {"n": 3000}
        return await past.rows(past.player.version - 4000, past.player.version, 5000)

    rows = await core.commands.corrections.pasts.look(filled.player_id, look)
    assert len(rows) == 4001


async def test_what_is_looked_at_near_a_moment_is_bounded(core: Core, one: asyncpg.Connection) -> None:
    filled = await fill(core, one, None, data_every=None)
    named = {"slot": slot_of(filled.player_id), "id": filled.player_id, "below": SCANNED, "above": SCANNED}
    for near in (NEWEST, first_command_id(0), id_near(filled.began + 5000 * STEP)):
        for statement, more in (
            ("version_near", {"moment": filled.began}),
            ("rows_near", {"first": 1, "last": ROWS, "limit": ROWS}),
            ("data_near", {"version": ROWS}),
        ):
            query, arguments = driver_form(PAST[statement].bindparams(near=near, **named, **more))
            (row,) = await one.fetch(f"explain (analyze, format json) {query}", *arguments)
            assert rows_of_the_ledger(orjson.loads(row[0])[0]["Plan"]) <= 2 * SCANNED


def rows_of_the_ledger(plan: dict[str, object]) -> float:
    """How many rows a plan has taken from tables and indexes, and those that it removed by a filter."""
    parts = plan.get("Plans", [])
    assert isinstance(parts, list)
    own = 0.0
    if "Relation Name" in plan:
        own = float(str(plan["Actual Rows"])) + float(str(plan.get("Rows Removed by Filter", 0)))
    return own + sum(rows_of_the_ledger(part) for part in parts)
