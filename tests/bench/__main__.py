"""`make bench`: what one machine acknowledges through the whole system, beside the most that its databases can do.

Everything runs in one go on fresh embedded servers with fsync and synchronous_commit on: actions over HTTP and over
sockets, and reads, each directly to the nodes' own ports and again through HAProxy; then the raw limit, which is the
write path's own SQL in a bare loop without HTTP, sessions, rules or queues. Last come 10,000 idle sockets on one node;
with `--sockets` only these. Machines are noisy: trust the ratios of one run, don't compare the figures of two.
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from gameserver.storage.ids import new_command_id, slot_of
from gameserver.storage.players.gathering import SQL
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.link import HOT_PATH, Link
from gameserver.storage.sharding import provision
from gameserver.storage.slots.slot_map import Slots
from tests.bench.idle import idle_cost, show_cost
from tests.bench.stack import running
from tests.support.haproxy import PROGRAM, haproxy

SECONDS = 10
MODES = ("http", "socket", "read")
RAW_BATCH, RAW_CONNECTIONS = 200, 2
PROXIED = ("through HAProxy", "of direct", "its p99 ms", "its errors")
CONFIG = Path(os.environ.get("CONFIG", "config/one.toml"))
console = Console(width=150)


async def main(*, only_sockets: bool) -> None:
    async with running(CONFIG) as (settings, folder, above):
        if not only_sockets:
            await measure(settings, folder, above)
        await measure_sockets(settings, above[0])


async def measure(settings: Settings, folder: Path, running: Sequence[NodeProcess]) -> None:
    ports = [settings.node.port + number for number, _ in enumerate(running, 1)]
    direct = [f"http://{settings.node.host}:{port}" for port in ports]
    if PROGRAM.exists():
        async with haproxy(folder, settings, ports) as url:
            rows = await loads(direct, [url])
    else:
        console.print(f"[bold red]{PROGRAM} isn't installed: its cost is NOT MEASURED[/]")
        rows = await loads(direct)
    show_speeds(rows, await raw_limit(settings))
    console.print(f"{CONFIG}: {len(running)} nodes, databases {', '.join(settings.groups['players'].databases)}")


async def loads(*ways: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Each mode's figures by each way to the nodes; the ways take turns, so that noise affects all of them."""
    rows = []
    for mode in MODES:
        by_way = [await load_of(urls, mode) for urls in ways]
        rows += [[*row] for row in zip(*by_way, strict=True)]
    return rows


async def measure_sockets(settings: Settings, node: NodeProcess) -> None:
    show_cost(console, node, await idle_cost(node, f"http://{settings.node.host}:{settings.node.port + 1}"))


async def load_of(urls: Sequence[str], mode: str) -> list[dict[str, Any]]:
    words = [word for url in urls for word in ("--url", url)]
    return await bots("bench", *words, "--seconds", str(SECONDS), "--mode", mode)


async def bots(*arguments: str) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bots", *arguments, "--json", "-", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 600)
    if process.returncode != 0:
        raise SystemExit(f"the bots ended with exit code {process.returncode}")
    results: list[dict[str, Any]] = orjson.loads(output)
    return results


async def raw_limit(settings: Settings) -> float:
    """Ledger rows committed per second over all databases: batches of 200, on two connections to each."""
    databases = provision.open_databases(settings)
    slots = Slots(databases[settings.control.database], databases, provision.sizes(settings))
    await slots.refresh()
    end = time.monotonic() + SECONDS
    loops = [
        raw_loop(database, part, end) for database in slots.databases("players") for part in range(RAW_CONNECTIONS)
    ]
    done = sum(await asyncio.gather(*loops))
    await databases.close()
    return done / SECONDS


async def raw_loop(database: Database, part: int, end: float) -> int:
    link = Link(database, HOT_PATH)
    connection = await link.open()
    ids = await raw_players(connection, part)
    done = 0
    while time.monotonic() < end:
        await raw_batch(connection, ids)
        done += len(ids)
    await link.close()
    return done


async def raw_players(connection: Any, part: int) -> list[int]:
    """New players for each loop, so that no two loops lock the same row."""
    slots = [
        row["slot"] for row in await connection.fetch("select slot from players_owned_slots where owned limit 100")
    ]
    ids = [part << 40 | slots[number % len(slots)] << 10 | number for number in range(RAW_BATCH)]
    await connection.executemany(
        "insert into players values ($1, $2, 'raw', 'mage', 1, 50, 5, 1, 0, false, now(), now())",
        [(slot_of(player), player) for player in ids],
    )
    return sorted(ids)


async def raw_batch(connection: Any, ids: Sequence[int]) -> None:
    slots, commands = [slot_of(player) for player in ids], [new_command_id(int(time.time() * 1000)) for _ in ids]
    if not connection.is_in_transaction():
        await connection.execute("begin")
    rows = await connection.fetch(SQL["gather"], slots, ids, slots, ids, commands, min(commands), max(commands))
    players = {row["id"]: row for row in rows}
    count = len(ids)
    outcome = '{"name":"raw","class":"mage","level":1,"hp":50,"max_hp":70,"exp":5,"events":[{"type":"hunted"}]}'
    versions = [players[player]["version"] + 1 for player in ids]
    exps = [players[player]["exp"] + 5 for player in ids]
    await connection.fetch(
        SQL["write"], players[ids[0]]["now"],
        slots, ids, commands, ["hunt"] * count, ['{"foe":"slime"}'] * count, [1] * count, [outcome] * count, versions,
        slots, ids, ["mage"] * count, [1] * count, [50] * count, exps, versions, [None] * count,
    )  # fmt: skip
    await connection.execute("commit and chain")


def show_speeds(rows: Sequence[Sequence[dict[str, Any]]], raw: float) -> None:
    columns = ("what", "per second", "p50 ms", "p99 ms", "of the raw limit", "faults")
    table = Table(*columns, *(PROXIED if len(rows[0]) > 1 else ()))
    for direct, *proxied in rows:
        share = f"{direct['per_second'] / raw:.0%}" if not direct["mode"].startswith("read") else ""
        faults = f"{sum(direct['refused'].values())} refused, {sum(direct['errors'].values())} errors"
        through = [cell for row in proxied for cell in proxy_cells(direct, row)]
        table.add_row(direct["mode"], *speed_cells(direct), share, faults, *through)
    table.add_row("raw limit", f"{raw:,.0f}", "", "", "100%")
    console.print(table)


def speed_cells(row: dict[str, Any]) -> tuple[str, str, str]:
    return f"{row['per_second']:,.0f}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}"


def proxy_cells(direct: dict[str, Any], proxied: dict[str, Any]) -> tuple[str, ...]:
    ratio = f"{proxied['per_second'] / direct['per_second']:.0%}" if direct["per_second"] else ""
    return f"{proxied['per_second']:,.0f}", ratio, f"{proxied['p99_ms']:.1f}", str(sum(proxied["errors"].values()))


if __name__ == "__main__":
    uvloop.run(main(only_sockets="--sockets" in sys.argv[1:]))
