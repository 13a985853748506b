"""Two loads at one door: a closed loop, which finds its capacity, and open arrivals, which don't wait for answers.

Law of the open load: questions are planned by a Poisson process whose seed is given, whatever the server does. What
isn't sent by the end of the load, since this client was too slow, is unsent; what no connection could take, since all
of them waited for the server, is held back.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from random import Random
from typing import NamedTuple

from bots.overload.doors import Questioner
from bots.overload.pools import Pool
from bots.overload.questions import DoorQuestion, Heard, Treatment
from bots.overload.tally import DoorTally
from bots.waiting import cancel_and_wait

TICK_SECONDS = 0.001
BURST = 64
"""Questions that are sent in one turn of the loop, at the most."""
STEP_SECONDS = 0.02
GRACE_SECONDS = 1.0
"""How much longer than the deadline an answer is waited for, to tell late ones from none."""


class LoadSpan(NamedTuple):
    """How long a closed load is counted, after a warm-up that isn't."""

    seconds: float
    warm_up: float = 0.0


class _Counting:
    """Hears the answers to a load."""

    def __init__(self, questioner: Questioner, tally: DoorTally) -> None:
        self._questioner, self._tally = questioner, tally

    def hear(self, question: DoorQuestion, heard: Heard) -> None:
        self._tally.hear(question, heard)
        self._questioner.hear(question, heard)

    def lose(self, question: DoorQuestion, reason: str) -> None:
        self._tally.lose(question, reason)


class _Refilling(_Counting):
    """Asks again when a question has been answered, until `ends`; counts good answers from `begins` on.

    One that is turned away isn't followed by another: there were more at once than the door takes.
    """

    def __init__(self, questioner: Questioner, tally: DoorTally, pool: Pool, begins: float, ends: float) -> None:
        super().__init__(questioner, tally)
        self._pool, self._begins, self._ends = pool, begins, ends
        self.good = 0

    def hear(self, question: DoorQuestion, heard: Heard) -> None:
        super().hear(question, heard)
        now = time.monotonic()
        if self._begins <= now < self._ends and heard.treatment in (Treatment.ANSWERED, Treatment.REFUSED):
            self.good += 1
        if now < self._ends and heard.treatment is not Treatment.TURNED_AWAY:
            self.refill()

    def refill(self) -> None:
        question = self._questioner.question()
        question.planned = time.monotonic()
        if self._pool.offer(question):
            self._tally.send(question, question.planned)
        else:
            self._questioner.drop(question)


async def closed_load(questioner: Questioner, pool: Pool, tally: DoorTally, at_once: int, window: LoadSpan) -> float:
    """Ask with so many questions under way for the whole window; returns the good answers per second of its count."""
    begins, seconds = time.monotonic() + window.warm_up, window.seconds
    listener = _Refilling(questioner, tally, pool, begins, begins + seconds)
    pool.listener = listener
    async with _watched(tally):
        for _ in range(at_once):
            listener.refill()
        await asyncio.sleep(window.warm_up + seconds)
        await _drain(pool, tally)
    return listener.good / seconds


async def open_load(
    questioner: Questioner, pool: Pool, tally: DoorTally, moments: Iterator[float], seconds: float
) -> None:
    """Ask at these moments, in seconds from now, for so long; then wait for the answers."""
    pool.listener = _Counting(questioner, tally)
    async with _watched(tally):
        starts, burst = time.monotonic(), 0
        for moment in moments:
            if moment > seconds:
                break
            tally.planned += 1
            burst += 1
            if (ahead := starts + moment - time.monotonic()) > 0 or burst >= BURST:
                await asyncio.sleep(max(ahead, TICK_SECONDS) if ahead > 0 else 0)
                burst = 0
            if time.monotonic() > starts + seconds:
                tally.unsent += 1
            else:
                _send(questioner, pool, tally, starts + moment)
        await _drain(pool, tally)


def arrivals(rate: float, random: Random) -> Iterator[float]:
    """Yield the moments of a Poisson process with so many arrivals per second, from 0 on."""
    moment = 0.0
    while True:
        moment += random.expovariate(rate)
        yield moment


def _send(questioner: Questioner, pool: Pool, tally: DoorTally, planned: float) -> None:
    question = questioner.question()
    question.planned = planned
    if pool.offer(question):
        tally.send(question, time.monotonic())
    else:
        tally.held_back += 1
        questioner.drop(question)


async def _drain(pool: Pool, tally: DoorTally) -> None:
    """Wait for the answers under way until none can be in time any more; the rest got none."""
    ends = time.monotonic() + tally.deadline + GRACE_SECONDS
    while pool.in_flight() and time.monotonic() < ends + 2 * tally.own_lag:  # noqa: ASYNC110 (cheaper than events)
        await asyncio.sleep(STEP_SECONDS)
    for question in pool.abandon():
        tally.lose(question, "unanswered")


@asynccontextmanager
async def _watched(tally: DoorTally) -> AsyncIterator[None]:
    """Measure for how long this client's own loop is away; its garbage is left alone meanwhile."""
    gc.disable()
    watching = asyncio.create_task(_watch(tally))
    try:
        yield
    finally:
        gc.enable()
        await cancel_and_wait(watching)


async def _watch(tally: DoorTally) -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(STEP_SECONDS)
        tally.own_lag = max(tally.own_lag, time.monotonic() - before - STEP_SECONDS)
