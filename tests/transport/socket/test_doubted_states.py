"""Which states of its player an open socket shows once the player's database may have gone back."""

from typing import Any

import pytest

from gameserver.commands.results import Opened, Seen, StoredPush
from tests.storage.boards.test_leaderboards import player
from tests.transport.socket.test_leaving import no_sockets, opened

SHOWN = 5
"""The version that the socket has been sent before."""
NOTHING_LOST: list[tuple[list[str], list[int]]] = [(["read 6"], [6]), (["answered 6", "read 5"], [])]
LOST = [
    (["read 3", "read 2", "read 4"], [3, 4]),
    (["answered 4", "read 3", "read 5"], [5]),
    (["answered 5", "read 3"], [3]),  # by a replica that hasn't heard of it
    (["answered 6", "read 3"], [3]),  # by a primary that was cut off
    (["read 5", "read 6"], [5, 6]),  # others have acted as often since as was lost
]
ONCE = [(["read 5", "read 3"], [5]), (["read 5", "read 5"], [5])]


@pytest.mark.parametrize(("steps", "pushed"), NOTHING_LOST + LOST + ONCE)
async def test_the_next_state_after_a_failover_is_shown_if_it_is_newer_or_the_last_one_was_lost(
    monkeypatch: pytest.MonkeyPatch, steps: list[str], pushed: list[int]
) -> None:
    frames = list[Any]()
    with opened(no_sockets()) as socket:
        monkeypatch.setattr(socket.channel, "send", frames.append)
        socket.answer_hello({}, SHOWN, Opened("stream", 0, False, []))
        socket.doubt_state()
        for what, version in (step.split() for step in steps):
            if what == "answered":
                socket.note_state(int(version))
            else:
                socket.push_state(player(7, 0, version=int(version)), 1)
    assert [frame["data"]["version"] for frame in frames[1:]] == pushed


@pytest.mark.parametrize("before", [[], [5], [6]])
@pytest.mark.parametrize(("after", "pushed"), [([3], [3]), ([5], [5]), ([6], [6]), ([3, 5], [3, 5])])
@pytest.mark.parametrize("is_answered_first", [True, False])
async def test_a_failover_before_hello_is_answered_counts_from_the_state_in_the_answer(
    monkeypatch: pytest.MonkeyPatch, before: list[int], after: list[int], pushed: list[int], *, is_answered_first: bool
) -> None:
    frames = list[Any]()
    with opened(no_sockets()) as socket:
        monkeypatch.setattr(socket.channel, "send", frames.append)
        for version in before:
            socket.push_state(player(7, 0, version=version), 1)
        socket.doubt_state()
        if is_answered_first:
            socket.answer_hello({}, SHOWN, Opened("stream", 0, False, []))
        for version in after:
            socket.push_state(player(7, 0, version=version), 1)
        if not is_answered_first:
            socket.answer_hello({}, SHOWN, Opened("stream", 0, False, []))
    assert [frame["data"]["version"] for frame in frames[1:]] == pushed


async def test_a_sockets_numbers_never_fall_when_its_stream_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = list[Any]()
    with opened(no_sockets()) as socket:
        monkeypatch.setattr(socket.channel, "send", frames.append)
        socket.answer_hello({}, SHOWN, Opened("first", 5, True, [StoredPush(5, "mail", {})]))
        socket.push_stored("second", [StoredPush(1, "mail", {}), StoredPush(2, "mail", {})])
        assert socket.seen == Seen("second", 2), "Redis is asked by the stream's own numbers"
        socket.push_stored("second", [StoredPush(2, "mail", {}), StoredPush(3, "mail", {})])
        socket.push_stored("", [])  # of a catch-up that began before hello: it says nothing of any stream
        assert socket.seen == Seen("second", 3)
        socket.push_stored("third", [])
        socket.push("rank", {})
        socket.push_stored("third", [StoredPush(1, "mail", {})])
    assert [frame["seq"] for frame in frames[1:]] == [5, 6, 7, 8, 8, 9]
