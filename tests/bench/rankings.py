"""What a page of a ranking takes over HTTP, at the top and in the middle, and what a plain scan of it would take.

    make run CONFIG=config/sharded.toml
    .venv/bin/gameserver demo --config config/sharded.toml --players 1000000
    CONFIG=config/sharded.toml .venv/bin/python -m tests.bench.rankings

Machines are noisy: the fastest and the middle one of each are shown; trust the ratios of one run.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args

import aiohttp
import uvloop
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select, text

from gameserver.app import open_core
from gameserver.commands.results import Question
from gameserver.config.settings import load
from gameserver.rules.player import Player
from gameserver.storage import tables
from gameserver.storage.operators.reports import By
from gameserver.storage.postgres.database import Database
from gameserver.transport.http import cursors

ROUNDS, LIMIT = 15, 100
PLAIN = """
select id, name, class, level, hp, exp, version, created_at, exp_reached_at from players
where not void and slot in (select slot from players_owned_slots where owned) order by exp desc, id limit 101
"""
"""A page in one statement: every row asked for its owner, all columns carried along."""


async def main() -> None:
    settings = load(Path(os.environ.get("CONFIG", "config/sharded.toml")))
    url = f"http://{settings.node.host}:{settings.node.port}/admin/v1/rankings"
    headers = {"Authorization": f"Bearer {settings.admin_keys()['operator'].get_secret_value()}"}
    table = Table("by", "class", *(f"{page} {what} ms" for page in ("top", "middle") for what in ("fastest", "median")))
    async with open_core(settings) as core, aiohttp.ClientSession(headers=headers) as session:
        databases = core.slots.databases("players")
        class_name = next(iter(core.rulebook.game.classes))
        for by in get_args(By):
            for chosen in (None, class_name):
                question = Question(by, LIMIT, class_name=chosen)
                asked = {"by": by, "limit": str(LIMIT)} | ({"class": chosen} if chosen else {})
                middle = cursors.behind(await someone_in_the_middle(databases[0], by), question)
                queries = (asked, {**asked, "cursor": middle})
                times = [await timed(partial(page, session, url, query)) for query in queries]
                table.add_row(by, chosen or "", *(cell for each in times for cell in shown(each)))
        plain = await timed(lambda: asyncio.gather(*(scan(each) for each in databases)))
        table.add_row("exp, plain SQL", "", *shown(plain), "", "")
        players = (await core.rooms.operators.reports.count())[0]
    Console().print(table)
    Console().print(f"{sum(each.players for each in players):,} players on {len(databases)} databases, {ROUNDS} rounds")


async def someone_in_the_middle(database: Database, by: By) -> Player:
    """As far as the ranking is concerned."""
    value = func.percentile_disc(0.5).within_group(tables.player_rows.c[by])
    async with database.snapshot() as connection:
        found = (await connection.execute(select(value).where(~tables.player_rows.c.void))).scalar_one()
    now = datetime.now(UTC)
    return Player(1 << 61, "", "", 1, 0, 0, 1, now, now)._replace(**{by: found})


async def page(session: aiohttp.ClientSession, url: str, query: dict[str, str]) -> None:
    async with session.get(url, params=query) as response:
        told = await response.json()
        assert response.status == 200, told
        assert len(told["entries"]) == LIMIT, told


async def scan(database: Database) -> None:
    async with database.snapshot() as connection:
        assert len((await connection.execute(text(PLAIN))).all()) == LIMIT + 1


async def timed(work: Callable[[], Awaitable[Any]]) -> list[float]:
    """Milliseconds of each round, after one that isn't counted."""
    times = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        await work()
        times.append((time.perf_counter() - began) * 1000)
    return times[1:]


def shown(times: list[float]) -> tuple[str, str]:
    return f"{min(times):.1f}", f"{statistics.median(times):.1f}"


if __name__ == "__main__":
    uvloop.run(main())
