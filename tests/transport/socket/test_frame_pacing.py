"""The pacing of frames: its copy of the limits' algorithm admits what `Pace` admits."""

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.errors import GameError
from gameserver.rules.pacing import Pace
from gameserver.transport.callers.turns import AddressTurns
from gameserver.transport.socket.channel import SocketChannel
from gameserver.transport.socket.pacing import FramePacing
from gameserver.transport.wire import Close

PAUSES = st.lists(st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 5_000)), max_size=200)


class FailedChannel:
    """Records the errors that a channel is ended with."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, int]] = []

    def fail(self, error: GameError, code: int) -> None:
        self.failures.append((error.code, code))


@given(st.integers(1, 100), st.integers(1, 20), PAUSES)
def test_frames_are_admitted_as_by_a_pace_and_one_too_many_ends_the_socket(
    interval: int, burst: int, pauses: Sequence[int]
) -> None:
    pace, now, rest, channel = Pace(interval, burst), 10_000, 0, FailedChannel()
    pacing = FramePacing(pace, lambda: now)
    denied = 0
    for pause in pauses:
        now += pause
        expected = pace.wait(rest, now) <= 0
        rest = pace.spent(rest, now) if expected else rest
        denied += not expected
        assert pacing.admits(cast("SocketChannel", channel)) == expected
    assert channel.failures == [("too_many_messages", Close.TOO_MANY)] * denied


def test_without_a_pace_every_frame_is_admitted() -> None:
    pacing, channel = FramePacing(None, lambda: 0), FailedChannel()
    assert all(pacing.admits(cast("SocketChannel", channel)) for _ in range(1_000))


async def test_the_first_frame_of_a_socket_waits_behind_no_other_of_its_address() -> None:
    turns = AddressTurns(60, lambda: 0.0)
    while turns.take("school"):
        pass
    pacing = FramePacing(None, address="school", turns=turns)
    async with asyncio.timeout(5):
        await pacing.wait(is_first=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pacing.wait()
