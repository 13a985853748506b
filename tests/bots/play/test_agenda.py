"""What is due is begun in the order of its due times, and a burst leaves the loop time to read."""

import asyncio
import time

from bots.play.agenda import BURST, Agenda
from tests.support.wait import wait_until


async def test_things_are_begun_in_the_order_of_their_due_times() -> None:
    begun: list[float] = []
    agenda, now = Agenda([]), time.monotonic()
    for number in (3, 1, 2, 1):
        agenda.at(now + number / 100, begun.append)
    await wait_until(lambda: len(begun) == 4)
    assert begun == sorted(begun)
    assert time.monotonic() >= now + 0.03


async def test_what_comes_later_but_is_due_earlier_is_not_kept_waiting() -> None:
    begun: list[str] = []
    agenda, now = Agenda([]), time.monotonic()
    agenda.at(now + 60, lambda _: begun.append("late"))
    agenda.at(now, lambda _: begun.append("early"))
    await wait_until(lambda: begun)
    assert begun == ["early"]
    assert agenda.close(now + 120) == 1


async def test_a_burst_is_begun_in_turns() -> None:
    begun: list[float] = []
    lateness: list[float] = []
    agenda, now = Agenda(lateness), time.monotonic()
    for _ in range(3 * BURST):
        agenda.at(now - 1, begun.append)
    await asyncio.sleep(0)
    assert 0 < len(begun) < 3 * BURST
    await wait_until(lambda: len(begun) == 3 * BURST)
    assert len(lateness) == 3 * BURST
    assert min(lateness) >= 1


async def test_after_its_end_nothing_is_begun() -> None:
    begun: list[float] = []
    agenda, now = Agenda([]), time.monotonic()
    agenda.at(now + 0.01, begun.append)
    agenda.at(now + 60, begun.append)
    assert agenda.close(now + 1) == 1
    agenda.at(now, begun.append)
    await asyncio.sleep(0.05)
    assert begun == []
