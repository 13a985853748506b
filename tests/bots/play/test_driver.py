"""What the plan plans is begun when it is due, by a player that is free; what isn't begun is counted."""

import asyncio
import time
from random import Random
from typing import Any, cast

import pytest

from bots.count.tally import Tally
from bots.play.driver import ANY_OPERATION, Driver
from bots.play.plan import RateStep, Storm, SwarmPlan
from bots.play.recruits import Recruits
from bots.play.swarm import Swarm


class PacedBot:
    """A bot whose turns take `seconds`, and that notes when each was planned and begun."""

    def __init__(self, seconds: float, tally: Tally) -> None:
        self.seconds, self.tally = seconds, tally
        self.stopped, self.busy = False, False
        self.turns: list[tuple[float, float]] = []
        self.storms: list[float] = []

    async def turn(self, planned: float) -> None:
        assert not self.busy, "one thing at a time"
        self.busy, begun = True, time.monotonic()
        self.turns.append((planned, begun))
        await asyncio.sleep(self.seconds)
        self.busy = False

    async def sign_in(self, planned: float) -> None:
        self.storms.append(planned)


class Paced:
    """The recruits of a swarm of paced bots."""

    def __init__(self, swarm: Swarm, bots: list[PacedBot]) -> None:
        self.swarm, self.rows = swarm, [bots]
        swarm.signed_up = cast("Any", bots)

    def row_of(self, _bot: PacedBot) -> int:
        return 0

    def draw(self, random: Random, *, on_socket: bool = False) -> PacedBot:
        return random.choice(self.rows[0])


async def played(plan: SwarmPlan, count: int, seconds: float, stop_after: float | None = None) -> Paced:
    swarm = Swarm(plan, Tally(), asyncio.Event())
    paced = Paced(swarm, [PacedBot(seconds, swarm.tally) for _ in range(count)])
    begins = time.monotonic()
    swarm.tally.start(begins)
    if stop_after is not None:
        asyncio.get_running_loop().call_later(stop_after, swarm.stop.set)
    await Driver(cast("Recruits", paced), begins).play()
    return paced


def plan(seconds: float, rate: float = 5.0, **more: Any) -> SwarmPlan:
    return SwarmPlan(1, seconds, 1.0, rate, 1, "bot", **more)


def turns(paced: Paced) -> list[tuple[float, float]]:
    return [turn for bot in paced.rows[0] for turn in bot.turns]


async def test_in_the_open_model_the_arrivals_are_begun_whatever_the_server_does() -> None:
    paced = await played(plan(1.0, arrivals=(RateStep(0, 100),)), count=200, seconds=0.5)
    unsent = paced.swarm.tally.unsent
    assert 60 < len(turns(paced)) + unsent < 150
    assert all(begun >= planned for planned, begun in turns(paced))


async def test_an_arrival_waits_for_a_free_player_and_keeps_its_planned_moment() -> None:
    paced = await played(plan(1.0, arrivals=(RateStep(0, 50),)), count=1, seconds=0.2)
    begun = turns(paced)
    assert len(begun) <= 6
    assert begun[-1][1] - begun[-1][0] > 0.2, "it waited"
    assert paced.swarm.tally.unsent + len(begun) > 25
    counts = paced.swarm.tally.recorder.present.of(ANY_OPERATION)
    assert counts.unsent == paced.swarm.tally.unsent


async def test_in_the_closed_model_each_player_keeps_its_own_pace() -> None:
    paced = await played(plan(1.0, rate=10.0), count=3, seconds=0.01)
    assert all(2 <= len(bot.turns) <= 10 for bot in paced.rows[0])
    for bot in paced.rows[0]:
        gaps = [after[0] - before[0] for before, after in zip(bot.turns, bot.turns[1:], strict=False)]
        assert gaps == pytest.approx([0.1] * len(gaps))


async def test_a_slow_server_leaves_planned_turns_unsent() -> None:
    paced = await played(plan(1.0, rate=20.0), count=1, seconds=0.3)
    assert len(turns(paced)) + paced.swarm.tally.unsent in (19, 20)
    assert paced.swarm.tally.unsent >= 15


async def test_a_run_that_is_stopped_counts_nothing_of_the_future_as_unsent() -> None:
    paced = await played(plan(60.0, arrivals=(RateStep(0, 50),)), count=50, seconds=0.01, stop_after=0.3)
    assert paced.swarm.played < 20
    assert paced.swarm.tally.unsent < 10


async def test_a_storm_comes_on_top_of_either_model() -> None:
    paced = await played(plan(1.0, rate=1.0, storms=(Storm("sign_in", 0.2, 0.5, 100.0),)), count=5, seconds=0.0)
    storms = [planned for bot in paced.rows[0] for planned in bot.storms]
    assert 25 < len(storms) < 80
    assert max(storms) - min(storms) <= 0.5


async def test_in_the_closed_model_a_slow_server_makes_turns_late_and_not_the_generator() -> None:
    paced = await played(plan(1.0, rate=20.0), count=5, seconds=0.3)
    assert max(begun - planned for planned, begun in turns(paced)) > 0.2
    lateness = paced.swarm.tally.health.lateness
    assert len(lateness) == len(turns(paced))
    assert sorted(lateness)[len(lateness) // 2] < 0.1
