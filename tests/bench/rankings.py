"""How long a page of a ranking takes over HTTP, at the top and in the middle, and how long a plain scan would take.

    make run CONFIG=config/sharded.toml
    .venv/bin/gameserver demo --config config/sharded.toml --players 1000000
    CONFIG=config/sharded.toml .venv/bin/python -m tests.bench.rankings

Machines are noisy: the fastest and the median round of each are printed; trust the ratios of one run.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, text

from bots.count.latencies import Latencies
from gameserver.app import Core, open_core
from gameserver.commands.rankings import PlayerChoice
from gameserver.commands.results import Question, Segment
from gameserver.config.settings import load
from gameserver.storage import tables
from gameserver.storage.operators.questions import By, value_of
from gameserver.storage.postgres.database import Database
from gameserver.transport.http import cursors

ROUNDS, LIMIT = 15, 100
PLAIN = """
select id, name, class, level, hp, exp, version, created_at, exp_reached_at from players
where not void and slot in (select slot from players_owned_slots where owned) order by exp desc, id limit 101
"""
"""A page in one statement, which looks up the owner of every row and sorts whole rows."""


async def main() -> None:
    settings = load(Path(os.environ.get("CONFIG", "config/sharded.toml")))
    url = f"http://{settings.node.host}:{settings.node_port(1)}/admin/v1/rankings"
    headers = {"Authorization": f"Bearer {settings.admin_keys()['operator'].get_secret_value()}"}
    table = Table("by", "class", *(f"{page} {what} ms" for page in ("top", "middle") for what in ("fastest", "median")))
    async with open_core(settings) as core, aiohttp.ClientSession(headers=headers) as session:
        databases = core.slots.databases("players")
        class_name = next(iter(core.rulebook.game.classes))
        for by in get_args(By):
            for of_class in (None, class_name):
                order = cursors.Order(by, True, PlayerChoice(Segment(class_name=of_class)))
                top = {"by": by, "limit": str(LIMIT)} | ({"class": of_class} if of_class else {})
                middle = cursors.behind(await median(databases[0], by), order)
                queries = (top, {**top, "cursor": middle})
                pages = [await timed(partial(read_page, session, url, query)) for query in queries]
                table.add_row(by, of_class or "", *(cell for latencies in pages for cell in cells(latencies)))
        for name, path, query in await others(core):
            latencies = await timed(partial(read_any, session, url.removesuffix("rankings") + path, query))
            table.add_row(name, "", *cells(latencies), "", "")
        plain = await timed(lambda: asyncio.gather(*(scan(database) for database in databases)))
        table.add_row("exp, plain SQL", "", *cells(plain), "", "")
        players = (await core.rooms.operators.reports.count())[0]
        rate = await export(session, f"{url}/export")
    Console().print(table)
    Console().print(f"an export as CSV: {rate:,.0f} players/s")
    Console().print(f"{sum(row.players for row in players):,} players on {len(databases)} databases, {ROUNDS} rounds")


async def median(database: Database, by: By) -> tuple[int | datetime, int]:
    """The value and the id of a made-up player, before all others whose value is the median: for a page's cursor."""
    value = func.percentile_disc(0.5).within_group(value_of(by))
    async with database.snapshot() as connection:
        return (await connection.execute(select(value).where(~tables.player_rows.c.void))).scalar_one(), 1


async def read_page(session: aiohttp.ClientSession, url: str, query: dict[str, str]) -> None:
    async with session.get(url, params=query) as response:
        body = await response.json()
        assert response.status == 200, body
        assert len(body["entries"]) == LIMIT, body


async def others(core: Core) -> list[tuple[str, str, dict[str, str]]]:
    """What else operators ask: its name, the path, and the query."""
    player = (await core.rooms.operators.reports.rank(Question("exp", 500))).players[-1]
    return [
        ("by id", "players", {"id": str(player.id)}),
        ("by name", "players", {"name": player.name}),
        ("by a device", "players", {"device": "a device that nobody has"}),
        ("a player's page", f"players/{player.id}", {}),
        ("a player's ledger", f"players/{player.id}/ledger", {}),
        ("beginning of the name", "players", {"name_begins": player.name[:5]}),
        ("part of the name", "players", {"name_part": player.name[2:6]}),
        ("part that many have", "players", {"name_part": player.name[1:4]}),
        ("part that nobody has", "players", {"name_part": "qqqq"}),
        ("banned", "players", {"banned": "true"}),
        ("not connected", "rankings", {"online": "false"}),
        ("last seen", "rankings", {"by": "seen_at"}),
        ("rank of one", f"players/{player.id}/rank", {}),
        ("percentiles and bars", "rankings/spread", {}),
        ("the same of levels", "rankings/spread", {"by": "level"}),
        ("the same of names with a part", "rankings/spread", {"name_part": player.name[1:4]}),
    ]


async def read_any(session: aiohttp.ClientSession, url: str, query: dict[str, str]) -> None:
    async with session.get(url, params=query) as response:
        assert response.status == 200, await response.text()
        await response.read()


async def export(session: aiohttp.ClientSession, url: str) -> float:
    """Players a second of a whole export."""
    began, lines = time.perf_counter(), 0
    async with session.get(url) as response:
        assert response.status == 200, await response.text()
        async for part in response.content.iter_any():
            lines += part.count(b"\n")
    return lines / (time.perf_counter() - began)


async def scan(database: Database) -> None:
    async with database.snapshot() as connection:
        assert len((await connection.execute(text(PLAIN))).all()) == LIMIT + 1


async def timed(work: Callable[[], Awaitable[Any]]) -> Latencies:
    """How long the work takes in each round, after a first time that isn't counted."""
    latencies = Latencies()
    await work()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await work()
        latencies.record(time.perf_counter() - began)
    return latencies


def cells(latencies: Latencies) -> tuple[str, str]:
    return f"{1000 * latencies.shortest():.1f}", f"{1000 * latencies.at(50):.1f}"


if __name__ == "__main__":
    uvloop.run(main())
