"""`make bench`: what one machine acknowledges through the whole system, beside what its databases can do at most.

Everything runs in one go on fresh embedded servers with fsync and synchronous_commit on: the load over sockets and
over HTTP, reads, then the raw limit, which is the write path's own SQL in a bare loop, without doors, sessions,
rules or queues. Machines are noisy: trust the ratios of one run, not figures of two.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from gameserver.config import Settings, load
from gameserver.stack.child import Child
from gameserver.stack.node import Node
from gameserver.stack.up import nodes, servers
from gameserver.storage import provision
from gameserver.storage.batch import SQL
from gameserver.storage.databases import HOT_PATH, Database, Link
from gameserver.storage.ids import new_command_id, slot_of
from gameserver.storage.slots import Slots

SECONDS = 10
RAW_BATCH, RAW_CONNECTIONS = 200, 2
IDLE_SOCKETS = 5_000
CONFIG = Path(os.environ.get("CONFIG", "config/one.toml"))
console = Console(width=110)


async def main() -> None:
    Path("var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir="var"))
    folder.chmod(0o755)
    os.environ["GAMESERVER_STACK__DATA"] = str(folder.resolve())
    settings = load(CONFIG)
    below, above = servers(settings), nodes(settings, CONFIG)
    for name in ("log", "run"):
        (folder / name).mkdir()
    started: list[Child] = []
    try:
        for child in below:
            await child.start()
            started.append(child)
        await provision.migrate(settings)
        for node in above:
            await node.start()
            started.append(node)
        await measure(settings, above)
    finally:
        for child in reversed(started):
            await child.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def measure(settings: Settings, running: Sequence[Node]) -> None:
    idle = [resident(node) for node in running]
    url = f"http://{settings.node.host}:{settings.node.port}"
    rows = await bots("bench", "--url", url, "--seconds", str(SECONDS), "--mode", "all")
    raw = await raw_limit(settings)
    show_speeds(rows, raw)
    console.print(f"{CONFIG}: {len(running)} nodes, databases {', '.join(settings.groups['players'].databases)}")
    await show_memory(url, running, idle)


async def bots(*arguments: str) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bots", *arguments, "--json", "-", stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asyncio.wait_for(process.communicate(), 600)
    if process.returncode != 0:
        raise SystemExit(f"the load ended with {process.returncode}")
    found: list[dict[str, Any]] = orjson.loads(told)
    return found


async def raw_limit(settings: Settings) -> float:
    """Ledger rows committed per second over all databases: batches of 200 on two connections of each."""
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
    """Players of their own for each loop, so that no two wait for each other."""
    slots = [
        row["slot"] for row in await connection.fetch("select slot from players_owned_slots where owned limit 100")
    ]
    ids = [part << 40 | slots[each % len(slots)] << 10 | each for each in range(RAW_BATCH)]
    await connection.executemany(
        "insert into players values ($1, $2, 'raw', 'mage', 1, 50, 5, 1, 0, false, now(), now())",
        [(slot_of(each), each) for each in ids],
    )
    return sorted(ids)


async def raw_batch(connection: Any, ids: Sequence[int]) -> None:
    slots, commands = [slot_of(each) for each in ids], [new_command_id(int(time.time() * 1000)) for _ in ids]
    if not connection.is_in_transaction():
        await connection.execute("begin")
    found = await connection.fetch(SQL["gather"], slots, ids, slots, ids, commands, min(commands), max(commands))
    players = {row["id"]: row for row in found}
    count = len(ids)
    outcome = '{"name":"raw","class":"mage","level":1,"hp":50,"max_hp":70,"exp":5,"events":[{"type":"hunted"}]}'
    versions = [players[each]["version"] + 1 for each in ids]
    await connection.fetch(
        SQL["write"], players[ids[0]]["now"],
        slots, ids, commands, ["hunt"] * count, ['{"foe":"slime"}'] * count, [1] * count, [outcome] * count, versions,
        slots, ids, ["mage"] * count, [1] * count, [50] * count, [players[each]["exp"] + 5 for each in ids], versions,
    )  # fmt: skip
    await connection.execute("commit and chain")


def show_speeds(rows: Sequence[dict[str, Any]], raw: float) -> None:
    table = Table("what", "per second", "p50 ms", "p99 ms", "of the raw limit", "refused", "errors")
    for row in rows:
        share = f"{row['per_second'] / raw:.0%}" if not row["mode"].startswith("read") else ""
        table.add_row(row["mode"], f"{row['per_second']:,.0f}", f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}", share,
                      str(sum(row["refused"].values())), str(sum(row["errors"].values())))  # fmt: skip
    table.add_row("raw limit", f"{raw:,.0f}", "", "", "100%")
    console.print(table)


async def show_memory(url: str, running: Sequence[Node], idle: Sequence[int]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bots", "idle", "--url", url, "--sockets", str(IDLE_SOCKETS), "--seconds", "20",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    before = [resident(node) for node in running]
    most = before
    while process.returncode is None:
        await asyncio.sleep(0.5)
        most = [max(pair) for pair in zip(most, (resident(node) for node in running), strict=True)]
    if process.returncode != 0:
        raise SystemExit("the idle sockets did not all stay open")
    table = Table("resident memory", *(node.name for node in running))
    for what, figures in (
        ("just started", idle),
        ("after the load", before),
        (f"with {IDLE_SOCKETS} sockets over all nodes", most),
    ):
        table.add_row(what, *(f"{figure / 1e6:.0f} MB" for figure in figures))
    console.print(table)


def resident(node: Node) -> int:
    return int(psutil.Process(node.process.pid).memory_info().rss)


if __name__ == "__main__":
    uvloop.run(main())
