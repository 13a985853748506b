"""What idle sockets cost one node: the memory of each, and the processor time of their heartbeats."""

import asyncio
import sys
from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.table import Table

from gameserver.stack.servers.node import NodeProcess

SOCKETS, PLAYERS = 10_000, 2_500
SECONDS = 60
QUIET_SECONDS = 15
OPENING_SECONDS = 300


@dataclass(frozen=True, slots=True)
class IdleCost:
    """Resident bytes before and with `sockets` open, and CPU in per cent of one core before and with them."""

    sockets: int
    bytes_before: int
    bytes_with: int
    cpu_before: float
    cpu_with: float


async def idle_cost(node: NodeProcess, url: str) -> IdleCost:
    """Measure a node without load, then with 10,000 sockets for a minute; SystemExit if they don't all stay open."""
    process = psutil.Process(node.process.pid)
    cpu_before, bytes_before = await cpu(process, QUIET_SECONDS), process.memory_info().rss
    arguments = ("--sockets", str(SOCKETS), "--players", str(PLAYERS), "--seconds", str(SECONDS + 5))
    bots = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bots", "idle", "--url", url, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(OPENING_SECONDS):
            await all_up(bots)
        cpu_with, bytes_with = await cpu(process, SECONDS), process.memory_info().rss
        _, code = await asyncio.wait_for(bots.communicate(), 60), bots.returncode
    finally:
        if bots.returncode is None:
            bots.kill()
            await bots.wait()
    if code != 0:
        raise SystemExit("the idle sockets did not all stay open")
    return IdleCost(SOCKETS, bytes_before, bytes_with, cpu_before, cpu_with)


async def all_up(bots: asyncio.subprocess.Process) -> None:
    assert bots.stdout is not None
    async for line in bots.stdout:
        if line.startswith(f"{SOCKETS:,} of {SOCKETS:,} sockets are up".encode()):
            return
    raise SystemExit("the idle sockets did not all open")


async def cpu(process: psutil.Process, seconds: float) -> float:
    """The process's use of one core in per cent over the next `seconds`."""
    process.cpu_percent()
    await asyncio.sleep(seconds)
    return float(process.cpu_percent())


def show_cost(console: Console, node: NodeProcess, cost: IdleCost) -> None:
    table = Table(f"{node.name}, {SECONDS} s", "resident", "CPU of one core")
    table.add_row("without sockets", f"{cost.bytes_before / 1e6:.0f} MB", f"{cost.cpu_before:.1f}%")
    table.add_row(f"{cost.sockets:,} idle sockets", f"{cost.bytes_with / 1e6:.0f} MB", f"{cost.cpu_with:.1f}%")
    per_socket = (cost.bytes_with - cost.bytes_before) / cost.sockets
    table.add_row(
        "their cost", f"{per_socket / 1e3:.1f} kB a socket", f"{cost.cpu_with - cost.cpu_before:.1f}% (heartbeats)"
    )
    console.print(table)
