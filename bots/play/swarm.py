"""A swarm: many bots sign up and play for a while; the proof then compares their records with the server.

The law: a bot that meets an answer outside the wire contract stops and is reported, and the other bots go on. Ctrl-C
ends the play early and goes on to the proof; a second Ctrl-C abandons the phase that is under way. So does a terminal
that is closed, unless it was said to be ignored (`nohup`).
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from bots.count.tally import Tally
from bots.play.bot import Bot
from bots.play.habits import BadHabitError
from bots.play.placement import Placement
from bots.play.plan import SwarmPlan

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Swarm:
    """The bots and their counters; `played` is how long they played, in seconds, from `started` on."""

    plan: SwarmPlan
    tally: Tally
    stop: asyncio.Event
    bots: list[Bot] = field(default_factory=list)
    signed_up: list[Bot] = field(default_factory=list)
    played: float = 0.0
    phase: str = "signing up"
    started: datetime | None = None
    placement: Placement = field(default_factory=Placement)

    def broken_sign_ups(self) -> list[Bot]:
        """The bots whose sign-up got an answer that it must not get."""
        return [bot for bot in self.bots if bot.record.first is None and bot.record.problems]

    def connected(self) -> int:
        """How many bots have an open socket."""
        return sum(bot.client.connected for bot in self.signed_up)


async def guarded(bot: Bot, doing: Awaitable[object]) -> None:
    """Run one bot so that its failure stops no other; the failure goes to its record, which fails the proof.

    A habit of the user's own that fails is no fault of the server's.
    """
    try:
        await doing
    except BadHabitError as error:
        bot.stopped, bot.misled = True, str(error)
    except Exception as error:
        bot.stopped = True
        bot.record.problems.append(f"{bot.identity.name} stopped: {error!r}")


async def close(bots: Iterable[Bot]) -> None:
    """Close every bot's socket."""
    async with asyncio.TaskGroup() as group:
        for bot in bots:
            group.create_task(bot.client.close())


@asynccontextmanager
async def interruptible(stop: asyncio.Event, abandon: Callable[[], object]) -> AsyncIterator[None]:
    """Let the first of SIGINT, SIGTERM and SIGHUP set `stop`, and a second one call `abandon`."""

    def interrupted() -> None:
        if stop.is_set():
            abandon()
        stop.set()

    with signals_to(interrupted):
        yield


@contextmanager
def signals_to(interrupted: Callable[[], object]) -> Iterator[None]:
    """Call this at every signal that ends a run; SIGHUP stays ignored where it is, as under nohup."""
    loop = asyncio.get_running_loop()
    hung_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    heeded = [number for number in ENDING_SIGNALS if hung_up or number != signal.SIGHUP]
    for number in heeded:
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)
