"""The pacing of frames: held to the law of limits, which it has written out."""

from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.pacing import Pace
from gameserver.transport.socket.pacing import FramePacing
from gameserver.transport.socket.socket import Socket
from gameserver.transport.wire import Close

PAUSES = st.lists(st.one_of(st.just(0), st.integers(0, 50), st.integers(0, 5_000)), max_size=200)


class Ended:
    """What a socket is sent and ended with."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.closes: list[int] = []

    def put(self, frame: Any) -> None:
        self.frames.append(frame)

    def end(self, close: int, _: str) -> None:
        self.closes.append(close)


@given(st.integers(1, 100), st.integers(1, 20), PAUSES)
def test_frames_are_admitted_by_the_law_of_limits_and_one_too_many_ends_the_socket(
    interval: int, burst: int, pauses: Sequence[int]
) -> None:
    pace, now, rest, ended = Pace(interval, burst), 10_000, 0, Ended()
    pacing = FramePacing(pace, lambda: now)
    denied = 0
    for pause in pauses:
        now += pause
        expected = pace.wait(rest, now) <= 0
        rest = pace.spent(rest, now) if expected else rest
        denied += not expected
        assert pacing.admits(cast("Socket", ended)) == expected
    assert ended.closes == [Close.TOO_MANY] * denied
    assert [frame["error"]["code"] for frame in ended.frames] == ["too_many_messages"] * denied


def test_without_a_pace_every_frame_is_admitted() -> None:
    pacing, ended = FramePacing(None, lambda: 0), Ended()
    assert all(pacing.admits(cast("Socket", ended)) for _ in range(1_000))
