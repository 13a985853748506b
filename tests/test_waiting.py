"""Bells ring for everyone who waits, and cancelled tasks are waited for."""

import asyncio
import gc
import time
from typing import Any

import pytest

from gameserver.waiting import Bell, cancel_and_wait, wait_at_most


async def test_a_ring_wakes_all_who_wait_for_it_and_none_who_come_later() -> None:
    bell = Bell()
    first, second = bell.next(), bell.next()
    bell.ring()
    assert first.is_set()
    assert second.is_set()
    assert not bell.next().is_set()


async def test_a_wait_ends_without_a_ring() -> None:
    before = time.monotonic()
    await wait_at_most(Bell().next(), 0.01)
    assert time.monotonic() - before < 5


async def swallow(times: int) -> None:
    while times:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            times -= 1
    await asyncio.Event().wait()


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    task = asyncio.create_task(swallow(1))
    await asyncio.sleep(0)
    await cancel_and_wait([task])
    assert task.cancelled()


async def test_what_a_task_raises_on_its_way_out_is_not_reported_as_forgotten() -> None:
    reported = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def fall() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("the connection is closed")

    task = asyncio.create_task(fall())
    await asyncio.sleep(0)
    await cancel_and_wait([task])
    del task
    gc.collect()
    assert not reported


async def test_what_goes_on_past_the_deadline_is_left_behind() -> None:
    task = asyncio.create_task(swallow(1000))
    await asyncio.sleep(0)
    await cancel_and_wait([task], 0.1)
    assert not task.done()
    for _ in range(1000):
        task.cancel()
        await asyncio.sleep(0)
    await cancel_and_wait([task])


async def test_a_caller_that_is_cancelled_meanwhile_still_waits_for_the_end() -> None:
    task = asyncio.create_task(swallow(2))
    await asyncio.sleep(0)
    caller = asyncio.create_task(cancel_and_wait([task]))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert task.cancelled()
