"""What happens to a stack while the swarm plays on it, since some faults show themselves only then."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from gameserver.stack.processes import process_table
from gameserver.storage.ids import slot_of
from tests.mutants.stack import MutantStack

LAG_SECONDS = 4.0
"""How long the replica doesn't replay: less than the age beyond which no node asks it."""
FROZEN_SECONDS = 3.0
MOVE_SECONDS, PATIENCE_SECONDS = 12.0, 30.0
SLOTS = "0-127"
SLOTS_OF_ONE = 512
"""Slots below it are on the first database at the beginning."""
SOME_PLAYERS, ENOUGH_MOVED = 16, 3
REPLAYING = "postgres: startup recovering"
"""How the process of a replica that replays the log calls itself."""


@dataclass(frozen=True)
class Event:
    """Something that is done `after` so many seconds of play."""

    after: float
    carry_out: Callable[[MutantStack], Awaitable[None]]


def a_node(stack: MutantStack) -> int:
    """The pid of one of the nodes."""
    nodes = [pid for pid in process_table.descendants(stack.pid) if " serve " in f"{process_table.command_line(pid)} "]
    assert nodes, "no node runs"
    return nodes[-1]


async def kill_a_node(stack: MutantStack) -> None:
    """SIGKILL; `up` starts it again."""
    os.kill(a_node(stack), signal.SIGKILL)


async def freeze_a_node(stack: MutantStack) -> None:
    """Again and again, for less time than its clients wait; it wakes with the slot map of before."""
    node = a_node(stack)
    for _ in range(3):
        os.kill(node, signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN_SECONDS)
        finally:
            os.kill(node, signal.SIGCONT)
        await asyncio.sleep(1)


async def move_slots(stack: MutantStack) -> None:
    """An eighth of the players' slots to the second database, and back; what takes longer is left to the nodes."""
    with suppress(TimeoutError):
        for target in ("two", "one"):
            await stack.command("slots", "move", SLOTS, "--to", target, seconds=MOVE_SECONDS)


async def move_who_plays(stack: MutantStack) -> None:
    """The slots of those who play and are on the first database, to the second; the mover is killed on its way.

    Until a node goes on with it, both databases have the rows of what has moved.
    """
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(ids := await _who_has_played(stack)) < SOME_PLAYERS:  # noqa: ASYNC110 (it is another process's doing)
            await asyncio.sleep(0.2)
    slots = [str(slot) for slot in sorted({slot_of(player_id) for player_id in ids}) if slot < SLOTS_OF_ONE]
    assert len(slots) >= ENOUGH_MOVED, "some play on the first database"
    moving = asyncio.create_task(stack.command("slots", "move", ",".join(slots), "--to", "two"))
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not moving.done() and await _moved(stack) < ENOUGH_MOVED:  # noqa: ASYNC110 (the same)
                    await asyncio.sleep(0.02)
    finally:
        moving.cancel()
        await asyncio.wait([moving])


async def _who_has_played(stack: MutantStack) -> list[int]:
    entries = (await _asked(stack, "/admin/v1/rankings?by=exp&limit=100"))["entries"]
    return [int(entry["player"]["id"]) for entry in entries if entry["player"]["exp"]]


async def _moved(stack: MutantStack) -> int:
    """How many slots have moved."""
    return sum(move["moved"] for move in (await _asked(stack, "/admin/v1/moves"))["moves"])


async def _asked(stack: MutantStack, path: str) -> Any:
    headers = {"Authorization": f"Bearer {stack.admin_key.read_text('utf-8').strip()}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(stack.operators + path) as answer:
        return await answer.json()


async def close_the_season(stack: MutantStack) -> None:
    """It ends some seconds later."""
    await stack.command("seasons", "close", "dragons_weekly", "--reason", "a mutant's season")


async def let_the_replica_lag(stack: MutantStack) -> None:
    """Again and again it replays nothing for a while, and still answers."""
    replaying = [pid for pid in process_table.descendants(stack.pid) if REPLAYING in process_table.command_line(pid)]
    assert len(replaying) == 1, "one replica replays"
    for _ in range(2):
        os.kill(replaying[0], signal.SIGSTOP)
        try:
            await asyncio.sleep(LAG_SECONDS)
        finally:
            os.kill(replaying[0], signal.SIGCONT)
        await asyncio.sleep(1)


EVENTS: Mapping[str, Event] = {
    "kill": Event(4.0, kill_a_node),
    "freeze": Event(3.0, freeze_a_node),
    "move": Event(2.0, move_slots),
    "move-players": Event(1.0, move_who_plays),
    "season": Event(0.5, close_the_season),
    "lag": Event(2.0, let_the_replica_lag),
}
