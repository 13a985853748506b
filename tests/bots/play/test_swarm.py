"""A run that is told to end, by whichever signal, ends its play and goes on to the proof."""

import asyncio
import os
import signal

import pytest

from bots.play.swarm import ENDING_SIGNALS, interruptible


@pytest.mark.parametrize("number", ENDING_SIGNALS)
async def test_the_first_signal_stops_and_the_second_one_abandons(number: signal.Signals) -> None:
    stop, abandoned = asyncio.Event(), asyncio.Event()
    async with interruptible(stop, abandoned.set):
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 5)
        assert not abandoned.is_set()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(abandoned.wait(), 5)


async def test_a_terminal_whose_end_is_to_be_ignored_ends_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with interruptible(asyncio.Event(), asyncio.Event().set):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_run_in_a_scripts_background_heeds_the_signals_that_a_shell_has_ignored_there(
    number: signal.Signals,
) -> None:
    before, stop = signal.signal(number, signal.SIG_IGN), asyncio.Event()
    try:
        async with interruptible(stop, asyncio.Event().set):
            os.kill(os.getpid(), number)
            await asyncio.wait_for(stop.wait(), 1)
    finally:
        signal.signal(number, before)
