"""Which states of its player an open socket shows once the player's database may have gone back."""

from typing import Any

import pytest

from gameserver.commands.results import Opened
from tests.storage.boards.test_leaderboards import player
from tests.transport.socket.test_leaving import no_sockets, opened

SHOWN = 5
"""The version that the socket has been sent before."""
NOTHING_LOST: list[tuple[list[str], list[int]]] = [(["read 6"], [6]), (["answered 6", "read 5"], [])]
AS_MANY: list[tuple[list[str], list[int]]] = [(["read 5"], [5]), (["answered 5", "read 5", "read 5"], [5])]
"""Whether it is the state that was shown, or one made since of what was left, nobody can tell by its number."""
LOST = [
    (["read 3", "read 2", "read 4"], [3, 4]),
    (["answered 4", "read 3", "read 5"], [5]),
    (["answered 5", "read 3"], [3]),  # by a replica that hasn't heard of it
]
ONCE: list[tuple[list[str], list[int]]] = [(["read 5", "read 3"], [5])]


@pytest.mark.parametrize(("steps", "pushed"), NOTHING_LOST + AS_MANY + LOST + ONCE)
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


async def test_a_doubt_that_comes_amid_hello_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = list[Any]()
    with opened(no_sockets()) as socket:
        monkeypatch.setattr(socket.channel, "send", frames.append)
        socket.doubt_state()
        socket.answer_hello({}, SHOWN, Opened("stream", 0, False, []))
        socket.push_state(player(7, 0, version=3), 1)
    assert [frame["data"]["version"] for frame in frames[1:]] == [3]
