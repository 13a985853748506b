"""Drives the players of a swarm: by themselves in the closed model, by arrivals in the open one, and in storms.

Law: whatever has a planned moment waits in one heap of due times. Nothing is begun after the end of the play; what is
under way then is awaited. What was planned before the end and not begun is unsent.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial
from itertools import accumulate
from random import Random
from typing import Any

from bots.play.agenda import Agenda, Begin
from bots.play.arrivals import moments
from bots.play.bot import Bot
from bots.play.crowd import Crowd
from bots.play.plan import RateStep, Storm
from bots.play.recruits import Recruits
from bots.play.swarm import guarded
from bots.waiting import cancel_and_wait, pause

ANY_OPERATION = "any"
"""Under this name operations are unsent whose habit hadn't yet drawn what they were to be."""
SPREAD_SECONDS = 0.05
"""Players without pauses begin within this time."""


class Driver:
    """The play of one swarm, from `begins` on, in seconds of the monotonic clock."""

    def __init__(self, recruits: Recruits, begins: float) -> None:
        self._recruits, self._swarm = recruits, recruits.swarm
        self._plan, self._tally = self._swarm.plan, self._swarm.tally
        self._begins, self._ends = begins, begins + self._plan.seconds
        self._step = 1.0 / self._plan.rate if self._plan.rate else 0.0
        self._agenda = Agenda(self._tally.health.lateness)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._crowds: list[Crowd] = []
        self._arriving: list[Iterator[float]] = []

    async def play(self) -> None:
        """Play until the end or until stopped, then wait for the operations under way."""
        try:
            self._plan_operations()
            await pause(self._ends - time.monotonic(), self._swarm.stop)
            self._end()
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            self._agenda.close(self._ends)
            await cancel_and_wait(*self._tasks)

    def _plan_operations(self) -> None:
        random = Random(f"{self._plan.seed}:arrivals")
        if self._plan.arrivals:
            self._crowds = [Crowd(row, self._begin_open) for row in self._recruits.rows]
            sums = [*accumulate(len(row) for row in self._recruits.rows)]
            self._arrive(moments(self._plan.steps(), random), lambda due: self._share_out(random, sums, due))
        else:
            for bot in self._swarm.signed_up:
                due = self._begins + random.random() * (self._step or SPREAD_SECONDS)
                self._agenda.at(due, partial(self._begin_closed, bot))
        for number, storm in enumerate(self._plan.storms):
            self._plan_storm(storm, Random(f"{self._plan.seed}:storm {number}"))

    def _end(self) -> None:
        """Begin nothing more, and count what is left of what was planned."""
        now = min(time.monotonic(), self._ends)
        left = self._agenda.close(now)
        left += sum(crowd.close() for crowd in self._crowds)
        left += sum(moment < now - self._begins for arriving in self._arriving for moment in arriving)
        self._leave_unsent(left)
        self._swarm.played = time.monotonic() - self._begins
        self._tally.finish(time.monotonic())
        self._swarm.phase = "waiting for answers"

    def _leave_unsent(self, count: int) -> None:
        if count > 0:
            self._tally.leave_unsent(ANY_OPERATION, time.monotonic(), count)

    # The closed model: a player's next turn is planned when its last one has ended.

    def _begin_closed(self, bot: Bot, due: float) -> None:
        self._run(bot, bot.turn(due), partial(self._plan_next, bot, due))

    def _plan_next(self, bot: Bot, due: float) -> None:
        now = time.monotonic()
        planned = due + self._step if self._step else now
        if bot.stopped or planned >= self._ends:
            return
        if self._agenda.is_open:
            self._agenda.at(planned, partial(self._begin_closed, bot), now)
        elif self._step and not self._swarm.stop.is_set():
            self._leave_unsent(1 + int((self._ends - planned) / self._step))

    # The open model: operations arrive, and a player of one of the crowds takes each.

    def _arrive(self, arriving: Iterator[float], begin: Begin) -> None:
        """Begin an operation at each of these moments; only the next one is in the heap."""
        self._arriving.append(arriving)

        def arrive(due: float) -> None:
            plan_next()
            begin(due)

        def plan_next() -> None:
            moment = next(arriving, None)
            if moment is not None:
                self._agenda.at(self._begins + moment, arrive)

        plan_next()

    def _share_out(self, random: Random, sums: list[int], due: float) -> None:
        if sums[-1]:
            random.choices(self._crowds, cum_weights=sums)[0].arrive(due)

    def _begin_open(self, bot: Bot, planned: float) -> None:
        self._run(bot, bot.turn(planned), partial(self._free, bot))

    def _free(self, bot: Bot) -> None:
        """Give a player back to its crowd; one that broke the contract stops."""
        if not bot.stopped and self._agenda.is_open:
            self._crowds[self._recruits.row_of(bot)].free(bot)

    # Storms, in either model.

    def _plan_storm(self, storm: Storm, random: Random) -> None:
        begin = {"sign_up": self._recruit, "sign_in": self._sign_in, "reconnect": self._reconnect}[storm.kind]
        arriving = moments([RateStep(storm.seconds, storm.rate)], random)
        self._arrive((storm.at + moment for moment in arriving), lambda due: begin(due, random))

    def _recruit(self, due: float, _random: Random) -> None:
        bot = self._recruits.recruit()
        self._run(bot, self._recruits.sign_up(bot, due), lambda: None)

    def _sign_in(self, due: float, random: Random) -> None:
        bot = self._recruits.draw(random)
        if bot is not None:
            self._run(bot, bot.sign_in(due), lambda: None)

    def _reconnect(self, due: float, random: Random) -> None:
        bot = self._recruits.draw(random, on_socket=True)
        if bot is not None:
            self._run(bot, bot.reconnect(due), lambda: None)

    def _run(self, bot: Bot, doing: Coroutine[Any, Any, object], then: Callable[[], None]) -> None:
        """Begin what a player does; `then` is called at its end, unless the play is abandoned."""
        task = self._loop.create_task(_one_after_the_other(guarded(bot, doing), then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _one_after_the_other(doing: Awaitable[object], then: Callable[[], None]) -> None:
    await doing
    then()
