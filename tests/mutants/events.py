"""What happens to a stack while the swarm plays on it, since some faults show themselves only then."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import asyncpg

from gameserver.stack.processes import process_table
from tests.mutants.stack import MutantStack

LAG_SECONDS = 4.0
"""How long the replica doesn't replay: less than the age beyond which no node asks it."""
SLOTS = "0-255"


@dataclass(frozen=True)
class Event:
    """Something that is done `after` so many seconds of play."""

    after: float
    carry_out: Callable[[MutantStack], Awaitable[None]]


async def kill_a_node(stack: MutantStack) -> None:
    """SIGKILL; `up` starts it again."""
    nodes = [pid for pid in process_table.descendants(stack.pid) if " serve " in f"{process_table.command_line(pid)} "]
    assert nodes, "no node runs"
    os.kill(nodes[-1], signal.SIGKILL)


async def move_slots(stack: MutantStack) -> None:
    """A quarter of the players' slots to the second database, and back."""
    for target in ("two", "one"):
        await stack.command("slots", "move", SLOTS, "--to", target)


async def close_the_season(stack: MutantStack) -> None:
    """It ends some seconds later."""
    await stack.command("seasons", "close", "dragons_weekly", "--reason", "a mutant's season")


async def let_the_replica_lag(stack: MutantStack) -> None:
    """Again and again it stops replaying for a while."""
    connection = await asyncpg.connect(stack.replica_url())
    try:
        for _ in range(3):
            await connection.execute("select pg_wal_replay_pause()")
            await asyncio.sleep(LAG_SECONDS)
            await connection.execute("select pg_wal_replay_resume()")
            await asyncio.sleep(0.5)
    finally:
        await connection.close()


EVENTS: Mapping[str, Event] = {
    "kill": Event(4.0, kill_a_node),
    "move": Event(2.0, move_slots),
    "season": Event(2.0, close_the_season),
    "lag": Event(2.0, let_the_replica_lag),
}
