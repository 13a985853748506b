"""Many calls go on at a time, but not more than their limit; the first exception ends them all."""

import asyncio

import pytest

from bots.waiting import call_for_all, first_of, pause


async def test_no_more_calls_than_the_limit_go_on_and_results_keep_their_order() -> None:
    running, most = 0, 0

    async def double(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return 2 * number

    assert await call_for_all(double, range(10), at_once=3) == [2 * number for number in range(10)]
    assert most == 3


async def test_the_first_exception_cancels_the_other_calls() -> None:
    ended: list[int] = []

    async def wait_or_fail(number: int) -> None:
        try:
            await asyncio.sleep(0 if number == 2 else 60)
        finally:
            ended.append(number)
        raise ConnectionError(str(number))

    with pytest.raises(ConnectionError, match="2"):
        await call_for_all(wait_or_fail, range(4), at_once=4)
    assert sorted(ended) == [0, 1, 2, 3]


async def test_a_pause_ends_early_when_the_stop_is_set() -> None:
    stop = asyncio.Event()
    assert await pause(0.001, stop) is False
    stop.set()
    assert await asyncio.wait_for(pause(60, stop), 5) is True


async def test_the_first_of_several_events_ends_the_wait() -> None:
    event, other = asyncio.Event(), asyncio.Event()
    await first_of(0.001, event, other)
    event.set()
    await asyncio.wait_for(first_of(60, event, other), 5)
