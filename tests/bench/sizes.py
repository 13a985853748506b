"""`make bench-sizes`: what a player, a session and an action take of the disk, of the write-ahead log and of Redis.

On a fresh stack with `--players` of `gameserver demo`: bytes of each table and its indexes per player, and of Redis
per player (on the boards) and per session. Then every player acts `--rounds` times (warm), and once more after a
checkpoint: the dearest action there is, as each page is logged whole at its first change (cold). What lies between two
checkpoints is a mixture: log = warm + (cold - warm) / actions of a player between them. Rounds should be 150 or more:
from then on each player has a page of the ledger's index to itself. The actions are the product's own SQL in batches of
200 players at random (raw.py). `--set name=value` tries a server's setting, `--fillfactor` another one for `players`.
"""

import argparse
import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import uvloop
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from gameserver.stack.servers.postgres import PostgresServer
from tests.bench.processor import seconds_of
from tests.bench.raw import BATCH, act_in_batch
from tests.bench.stack import Stack, running

CONFIG = Path(os.environ.get("CONFIG", "config/one.toml"))
SESSIONS = 1000
HUNT = {"action": "hunt", "args": {"foe": "slime"}}
ROW = "select avg(pg_column_size(l.*)) from ledger l where action = 'hunt'"
TABLES = ("players", "ledger", "claims", "credentials", "devices", "scores")
SIZES = """
select coalesce(sum(pg_table_size(part.relid)), 0)::bigint as heap,
       coalesce(sum(pg_indexes_size(part.relid)), 0)::bigint as indexes
from (select coalesce(tree.relid, $1::regclass) as relid
      from (select) as one left join pg_partition_tree($1::regclass) as tree on tree.isleaf) as part
"""
COUNTS = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'players'"
console = Console(width=120)


async def main(arguments: argparse.Namespace) -> None:
    async with running(CONFIG, None, arguments.players, eager=True) as stack, _superuser(stack) as connection:
        for setting in arguments.set:
            name, _, value = setting.partition("=")
            await connection.execute(f"alter system set {name} = '{value}'")
        await connection.execute("select pg_reload_conf()")
        if arguments.fillfactor:
            await connection.execute(f"alter table players set (fillfactor = {arguments.fillfactor})")
        await connection.execute("vacuum (full, analyze) players")
        console.print(await _players(connection, arguments.players))
        console.print(await _in_redis(stack, arguments.players))
        real = await connection.fetchval(ROW)
        console.print(await _actions(stack, connection, arguments.rounds))
        console.print(
            f"a row of the ledger: {real:.0f} bytes of a player's hunt, {await connection.fetchval(ROW):.0f} here"
        )


@asynccontextmanager
async def _superuser(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    """Of the first database, in the nodes' own."""
    server = next(child for child in stack.below if isinstance(child, PostgresServer))
    connection = await asyncpg.connect(server.superuser_url.rsplit("/", 1)[0] + "/gameserver")
    yield connection
    await connection.close()


async def _players(connection: asyncpg.Connection, players: int) -> Table:
    table = Table("bytes per player", "heap", "indexes", title=f"{players:,} players, each with its sign-up")
    for name in TABLES:
        row = await connection.fetchrow(SIZES, name)
        table.add_row(name, f"{row['heap'] / players:.0f}", f"{row['indexes'] / players:.0f}")
    return table


async def _in_redis(stack: Stack, players: int) -> Table:
    redis = Redis.from_url(stack.settings.redis_url().get_secret_value())
    table = Table("Redis", "bytes each")
    async with redis, aiohttp.ClientSession(stack.urls[0]) as session:

        async def used() -> int:
            facts = await redis.info("memory")
            return int(facts["used_memory"] - facts["used_memory_startup"])

        tokens, before = list[str](), await used()
        table.add_row("a player on its boards", f"{before / players:.0f}")
        for number in range(1, SESSIONS + 1):
            async with session.post("/v1/sessions", json={"device": f"demo-device-{number:07}"}) as response:
                response.raise_for_status()
                tokens.append((await response.json())["session"]["token"])
        table.add_row("a session", f"{(await used() - before) / SESSIONS:.0f}")
        for token in tokens:
            headers = {"Authorization": f"Bearer {token}"}
            async with session.post("/v1/players/me/actions", json=HUNT, headers=headers) as response:
                assert response.status in (200, 409), await response.text()
    return table


async def _actions(stack: Stack, connection: asyncpg.Connection, rounds: int) -> Table:
    """All rounds, then one more after a checkpoint."""
    columns = (
        "actions",
        "log bytes",
        "whole pages in it",
        "ledger heap",
        "ledger indexes",
        "players HOT",
        "postgres µs",
    )
    table = Table("per action", *columns, title="Actions of all players, in no order")
    table.add_row("warm", *await _round(stack, connection, rounds))
    await connection.execute("checkpoint")
    table.add_row("cold", *await _round(stack, connection, 1))
    return table


async def _round(stack: Stack, connection: asyncpg.Connection, times: int) -> Sequence[str]:
    ids = [row["id"] for row in await connection.fetch("select id from players where not void")]
    log, before = await _log(connection), await connection.fetchrow(SIZES, "ledger")
    updates, seconds, done = await connection.fetchrow(COUNTS), seconds_of(stack.pids())["postgres"], 0
    worker = await asyncpg.connect(stack.settings.database_url(_database(stack)).get_secret_value())
    for _ in range(times):
        random.shuffle(ids)
        for start in range(0, len(ids) - BATCH + 1, BATCH):
            await act_in_batch(worker, sorted(ids[start : start + BATCH]))
            done += BATCH
    seconds = seconds_of(stack.pids())["postgres"] - seconds
    await worker.close()  # which reports its counts
    await asyncio.sleep(1)
    log = [now - then for now, then in zip(await _log(connection), log, strict=True)]
    after, counts = await connection.fetchrow(SIZES, "ledger"), await connection.fetchrow(COUNTS)
    hot = (counts["n_tup_hot_upd"] - updates["n_tup_hot_upd"]) / max(1, counts["n_tup_upd"] - updates["n_tup_upd"])
    return (
        f"{done:,}",
        f"{log[0] / done:.0f}",
        f"{log[1] / done:.2f}",
        *(f"{(after[part] - before[part]) / done:.0f}" for part in ("heap", "indexes")),
        f"{hot:.1%}",
        f"{seconds / done * 1e6:.1f}",
    )


async def _log(connection: asyncpg.Connection) -> Sequence[int]:
    """Bytes of write-ahead log, and whole pages in it."""
    row = await connection.fetchrow("select wal_bytes::bigint, wal_fpi from pg_stat_wal")
    return row["wal_bytes"], row["wal_fpi"]


def _database(stack: Stack) -> str:
    return next(iter(stack.settings.groups["players"].databases))


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("make bench-sizes BENCH=…", description=__doc__)
    parser.add_argument("--players", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=200, help="actions of each player before the checkpoint")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server")
    parser.add_argument("--fillfactor", type=int, help="of the table of players")
    return parser.parse_args(words)


if __name__ == "__main__":
    uvloop.run(main(parse(sys.argv[1:])))
