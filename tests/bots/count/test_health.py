"""A generator that was late itself voids the run, and one that wasn't doesn't."""

import asyncio
import time

from bots.count.document import DurationSpread, GeneratorSecond
from bots.count.health import GeneratorHealth, fault, spread
from tests.support.wait import wait_until

CALM = DurationSpread(10, 900, 2000)


def seconds(lateness: list[int]) -> list[GeneratorSecond]:
    return [GeneratorSecond(at, DurationSpread(0, late, late), CALM, 0.9, 5) for at, late in enumerate(lateness)]


def test_a_generator_that_keeps_up_voids_nothing() -> None:
    assert fault(seconds([900] * 20), warm_up=0) is None


def test_one_slow_second_in_twenty_voids_nothing() -> None:
    assert fault(seconds([900] * 19 + [400_000]), warm_up=0) is None


def test_a_generator_that_is_often_late_voids_the_run_and_says_why() -> None:
    reason = fault(seconds([900] * 5 + [400_000] * 5), warm_up=0)
    assert reason is not None
    assert "in 5 of 10 seconds" in reason
    assert "0.40 s" in reason


def test_a_slow_warm_up_voids_nothing() -> None:
    assert fault(seconds([400_000] * 5 + [900] * 5), warm_up=5) is None


def test_a_spread_is_of_all_durations() -> None:
    assert spread([]) == DurationSpread(0, 0, 0)
    assert spread([value / 1e6 for value in range(1, 102)]) == DurationSpread(51, 100, 101)


async def test_a_loop_that_is_blocked_shows() -> None:
    health = GeneratorHealth()
    watching = asyncio.create_task(health.watch(time.monotonic(), lambda: 7))
    await asyncio.sleep(0.1)
    time.sleep(0.3)  # noqa: ASYNC251 (that is the fault)
    await wait_until(lambda: health.last, 20, "a second is over")
    watching.cancel()
    assert health.last is not None
    assert health.last.loop_lag_us.max > 200_000
    assert health.last.connected == 7
