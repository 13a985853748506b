"""What happens to a stack while the swarm plays on it, since some faults show themselves only then."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from gameserver.stack.processes import process_table
from tests.mutants.stack import SLOTS, MutantStack
from tests.support.wait import wait_until

LAG_SECONDS = 4.0
"""How long the replica doesn't replay: less than the age beyond which no node asks it."""
SLOTS_OF_ONE = f"0-{SLOTS // 2 - 1}"
"""Those that are on the first database at the beginning."""
MOVES = "/admin/v1/moves"
REFUSED, BUSY = 400, 503
SIGN_UP_SECONDS = 60.0
WANDERING_SECONDS = 20.0
BOARD = "dragons_weekly"
NEXT_SEASON_SECONDS = 6.0
REPLAYING = "postgres: startup recovering"
"""How the process of a replica that replays the log calls itself."""


@dataclass(frozen=True)
class Event:
    """Something that is done `after` so many seconds of play; at 0 it begins before it."""

    after: float
    carry_out: Callable[[MutantStack], Awaitable[None]]


async def is_played(stack: MutantStack) -> None:
    """Wait until somebody has acted: on a busy machine signing up takes long, and what came then would be over."""
    async with _operator(stack) as session:
        while not (await _best(session, stack, 1))[0]["exp"]:  # noqa: ASYNC110 (it is another process's doing)
            await asyncio.sleep(0.2)


def a_node(stack: MutantStack) -> int:
    """The pid of one of the nodes."""
    nodes = [pid for pid in process_table.descendants(stack.pid) if " serve " in f"{process_table.command_line(pid)} "]
    assert nodes, "no node runs"
    return nodes[-1]


async def kill_a_node(stack: MutantStack) -> None:
    """SIGKILL; `up` starts it again."""
    os.kill(a_node(stack), signal.SIGKILL)


async def kill_a_database(stack: MutantStack) -> None:
    """SIGKILL to the first one's postmaster; `up` starts it again."""
    found = [pid for pid in process_table.descendants(stack.pid) if "/postgres -D " in process_table.command_line(pid)]
    assert found, "no database runs"
    os.kill(found[0], signal.SIGKILL)


async def move_back_and_forth(stack: MutantStack) -> None:
    """All slots of the first database to the second, and back, over and over, by orders of an operator.

    From a slot's flip until the end of its move both databases have its rows.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(WANDERING_SECONDS):
            while True:
                for target in ("two", "one"):
                    await _order(stack, target)
                    while await _has_open_moves(stack):  # noqa: ASYNC110 (it is another process's doing)
                        await asyncio.sleep(0.1)


async def _order(stack: MutantStack, target: str) -> None:
    """Again while it is refused, as for slots that are there already."""
    order = {"reason": "a mutant's moves", "group": "players", "slots": SLOTS_OF_ONE, "target": target}
    while await _answer_to(stack, order) >= REFUSED:  # noqa: ASYNC110 (the same)
        await asyncio.sleep(0.3)


async def _has_open_moves(stack: MutantStack) -> bool:
    return any(move["ended_at"] is None for move in await _moves(stack))


async def slots_moved(stack: MutantStack) -> int:
    """How many slots have moved, by moves that are over or not."""
    return sum(move["moved"] for move in await _moves(stack))


async def _moves(stack: MutantStack) -> list[Any]:
    async with _operator(stack) as session, session.get(stack.operators + MOVES) as answer:
        return list((await answer.json())["moves"])


async def _answer_to(stack: MutantStack, order: Mapping[str, str]) -> int:
    async with _operator(stack) as session, session.post(stack.operators + MOVES, json=order) as answer:
        return answer.status


async def end_who_plays(stack: MutantStack) -> None:
    """An operator has one of those who play erased, and another one deleted."""
    async with _operator(stack) as session:
        first, second = [player["id"] for player in await _best(session, stack, 2)]
        players, because = f"{stack.operators}/admin/v1/players", {"reason": "a mutant's erasure"}
        await _until_done(lambda: session.post(f"{players}/{first}/erasure", json=because))
        await _until_done(lambda: session.delete(f"{players}/{second}", params=because))


async def _best(session: aiohttp.ClientSession, stack: MutantStack, count: int) -> list[Any]:
    """The best of the players, as soon as so many have signed up. TimeoutError if they don't."""
    async with asyncio.timeout(SIGN_UP_SECONDS):
        while True:
            async with session.get(f"{stack.operators}/admin/v1/rankings?by=exp&limit={count}") as answer:
                found = await answer.json()
            # A server that is busy is asked again.
            if answer.status < REFUSED and len(found["entries"]) == count:
                return [entry["player"] for entry in found["entries"]]
            await asyncio.sleep(0.3)


async def _until_done(ask: Callable[[], AbstractAsyncContextManager[aiohttp.ClientResponse]]) -> None:
    """Again while the answer is to ask again, as it is while letters are on their way. AssertionError if refused."""
    while True:
        async with ask() as answer:
            if answer.status < REFUSED:
                return
            assert answer.status == BUSY, await answer.text()
        await asyncio.sleep(0.5)


def _operator(stack: MutantStack) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {stack.admin_key.read_text('utf-8').strip()}"})


async def close_the_season(stack: MutantStack, seasons: int = 1) -> None:
    """An order, its moment some seconds later, and the first seconds of the next season."""
    await stack.command("seasons", "close", BOARD, "--reason", "a mutant's season")
    while await _ended(stack) < seasons:  # noqa: ASYNC110 (it is another process's doing)
        await asyncio.sleep(0.2)


async def close_two_seasons(stack: MutantStack) -> None:
    """One behind the other, so that the first is neither the present season nor the one before."""
    for seasons in (1, 2):
        await close_the_season(stack, seasons)


async def _ended(stack: MutantStack) -> int:
    """How many seasons of the board ended so long ago that some of the next one was played."""
    async with _operator(stack) as session, session.get(f"{stack.operators}/admin/v1/seasons") as answer:
        seasons = (await answer.json())["seasons"]
    over = datetime.now(UTC) - timedelta(seconds=NEXT_SEASON_SECONDS)
    return sum(season["board"] == BOARD and datetime.fromisoformat(season["end"]) < over for season in seasons)


async def rebuild_a_board(stack: MutantStack) -> None:
    """That of all players' EXP, while they play."""
    await stack.command("boards", "rebuild", "exp", "--reason", "a mutant's rebuild")


async def let_the_replica_lag(stack: MutantStack) -> None:
    """Again and again it replays nothing for a while, and still answers. Nodes play before it is made."""

    def replaying() -> list[int]:
        return [pid for pid in process_table.descendants(stack.pid) if REPLAYING in process_table.command_line(pid)]

    await wait_until(lambda: len(replaying()) == 1, 30, "one replica replays")
    (pid,) = replaying()
    for _ in range(2):
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(LAG_SECONDS)
        finally:
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(1)


WANDER = "wander"
EVENTS: Mapping[str, Event] = {
    "kill": Event(4.0, kill_a_node),
    "crash": Event(4.0, kill_a_database),
    "end": Event(5.0, end_who_plays),
    WANDER: Event(0.0, move_back_and_forth),
    "season": Event(0.0, close_the_season),
    "seasons": Event(0.0, close_two_seasons),
    "lag": Event(2.0, let_the_replica_lag),
    "rebuild": Event(4.0, rebuild_a_board),
}
