"""Where a run shows what it does, and what it waits for: on a screen, or conducted by another process."""

import asyncio
from typing import Protocol

from rich.console import Console

from bots.chaos.nemesis import Nemesis
from bots.play.swarm import Swarm
from bots.screen import screen
from bots.screen.view import View


class Stage(Protocol):
    """Follows one run."""

    async def ready(self) -> None:
        """Wait until the play may begin; everybody has signed up."""

    async def played(self) -> None:
        """Wait until the proof may begin; the play is over."""

    async def show(self, swarm: Swarm) -> None:
        """Show the run until cancelled."""

    def say(self, text: str) -> None:
        """Tell the person who started the run something."""


class ScreenStage:
    """Shows the run on a console, a quiet one nothing; `begun` says whether the play has begun."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self.begun = False
        self._console, self._quiet = console, quiet

    async def ready(self) -> None:
        """Nothing is waited for."""
        self.begun = True

    async def played(self) -> None:
        """Nothing is waited for."""

    async def show(self, swarm: Swarm) -> None:
        """Show the run until cancelled."""
        if self._quiet:
            await asyncio.Event().wait()
        view, feed = View("bots run", swarm.plan.seconds, swarm.plan.warm_up), SwarmFeed(swarm)
        await screen.show(self._console, view, lambda: feed.fill(view))

    def say(self, text: str) -> None:
        """Print it."""
        self._console.print(text, markup=False, highlight=False)


class DisturbedStage:
    """Another stage, while whose play a nemesis does its work; the proof begins when all of that is over."""

    def __init__(self, stage: Stage, nemesis: Nemesis) -> None:
        self._stage, self._nemesis = stage, nemesis

    async def ready(self) -> None:
        """Wait as the stage does, then let faults begin."""
        await self._stage.ready()
        self._nemesis.begin()

    async def played(self) -> None:
        """Wait as the stage does, and for faults that are under way."""
        await self._stage.played()
        await self._nemesis.finish()

    async def show(self, swarm: Swarm) -> None:
        """Show the run as the stage does."""
        await self._stage.show(swarm)

    def say(self, text: str) -> None:
        """Say it as the stage does."""
        self._stage.say(text)


class SwarmFeed:
    """Fills a view from a swarm of this process."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._taken = 0

    def fill(self, view: View) -> None:
        """Bring the view up to date."""
        swarm, tally = self._swarm, self._swarm.tally
        view.phase, view.players = swarm.phase, len(swarm.signed_up)
        view.generators = [tally.health.last] if tally.health.last else []
        for second in tally.recorder.seconds[self._taken :]:
            view.take(second)
            view.elapsed = second.at + 1
        self._taken = len(tally.recorder.seconds)
