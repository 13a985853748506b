"""The order of pushes is checked on each socket, and against what came over earlier sockets."""

from typing import Any

import pytest

from bots.wire.pushes import PushHistory, SocketPushes

PLAYER = {"id": "7", "class": "mage", "version": 3, "level": 1, "hp": 1, "max_hp": 1, "exp": 0}


def greeting(stream: str = "a", seq: int = 0, *, resumed: bool = False) -> dict[str, Any]:
    return {"player": PLAYER, "stream": stream, "seq": seq, "resumed": resumed}


def notice(seq: int) -> dict[str, Any]:
    return {"push": "notice", "seq": seq, "data": {}}


def player(seq: int, version: int) -> dict[str, Any]:
    return {"push": "player", "seq": seq, "data": {"player": {**PLAYER, "version": version}}}


def delivered(pushes: PushHistory, hello: dict[str, Any], *frames: dict[str, Any]) -> SocketPushes:
    socket = SocketPushes(pushes)
    socket.greeted(hello)
    for frame in frames:
        socket.take(frame)
    return socket


def test_there_is_nothing_to_resume_before_the_first_stream() -> None:
    assert PushHistory().resume() is None


def test_the_highest_sequence_of_the_last_stream_is_resumed() -> None:
    pushes = PushHistory()
    delivered(pushes, greeting("a", 4), notice(5), notice(6))
    assert pushes.resume() == {"stream": "a", "seq": 6}
    delivered(pushes, greeting("b", 0), notice(1))
    assert pushes.resume() == {"stream": "b", "seq": 1}


def test_a_late_push_of_a_socket_that_was_left_does_not_touch_the_next_stream() -> None:
    pushes = PushHistory()
    old = delivered(pushes, greeting("a"), notice(1))
    delivered(pushes, greeting("b"), notice(1))
    old.take(notice(2))
    assert (pushes.resume(), pushes.faults) == ({"stream": "b", "seq": 1}, [])


@pytest.mark.parametrize(
    ("frames", "faults"),
    [
        ([notice(1), notice(2), notice(2), notice(3)], 0),
        ([notice(1), notice(3)], 1),
        ([notice(2)], 1),
        ([notice(1), notice(2), notice(1)], 1),
        ([notice(1), player(1, 3), notice(2)], 0),
        ([notice(1), player(3, 3), notice(4)], 1),
        ([player(0, 3), player(0, 3), player(0, 4)], 0),
        ([player(0, 4), player(0, 3)], 1),
        ([player(0, 2)], 1),
        ([{"push": "player", "seq": 0, "data": {}}], 1),
        ([{"push": "player", "seq": 0, "data": None}], 1),
    ],
)
def test_order_on_one_socket(frames: list[dict[str, Any]], faults: int) -> None:
    pushes = PushHistory()
    delivered(pushes, greeting(), *frames)
    assert (len(pushes.faults), pushes.count) == (faults, len(frames))


def test_a_resumed_stream_goes_on_after_the_sequence_that_was_sent() -> None:
    pushes = PushHistory()
    delivered(pushes, greeting("a", 4), notice(5))
    delivered(pushes, greeting("a", 5, resumed=True), notice(6), notice(7))
    assert (pushes.faults, pushes.resume()) == ([], {"stream": "a", "seq": 7})
    delivered(pushes, greeting("a", 7, resumed=True), notice(3))
    assert len(pushes.faults) == 1


def test_letters_that_hello_says_are_skipped_are_no_gap() -> None:
    pushes = PushHistory()
    delivered(pushes, {**greeting("a", 8, resumed=True), "mail_skipped": True}, notice(3), notice(7))
    assert pushes.faults == []


def test_a_player_is_not_pushed_older_on_the_next_socket() -> None:
    pushes = PushHistory()
    delivered(pushes, greeting("a"), player(0, 9))
    delivered(pushes, greeting("b"), player(0, 8))
    assert len(pushes.faults) == 1


def test_pushes_that_arrive_before_the_greeting_wait_for_it() -> None:
    pushes = PushHistory()
    versions: list[int] = []
    pushes.on_player = lambda player: versions.append(player["version"])
    socket = SocketPushes(pushes)
    socket.take(notice(1))
    socket.take(player(1, 4))
    assert versions == []
    socket.greeted(greeting())
    assert (versions, pushes.resume(), pushes.faults) == ([3, 4], {"stream": "a", "seq": 1}, [])


def test_a_socket_is_not_compared_with_what_an_older_one_is_sent_after_it_was_begun() -> None:
    pushes = PushHistory()
    old = delivered(pushes, greeting("a"), notice(1), player(1, 4))
    new = SocketPushes(pushes)
    for frame in (notice(2), notice(3), player(3, 6)):
        old.take(frame)
    new.greeted(greeting("a", 1, resumed=True))
    for frame in (notice(2), notice(3), player(3, 5), player(3, 6)):
        new.take(frame)
    assert (pushes.faults, pushes.resume()) == ([], {"stream": "a", "seq": 3})


def test_what_the_older_one_was_sent_is_not_lost_by_the_newer_one() -> None:
    pushes = PushHistory()
    old = delivered(pushes, greeting("a"), notice(1))
    new = SocketPushes(pushes)
    old.take(notice(2))
    new.greeted(greeting("a", 1, resumed=True))
    assert pushes.resume() == {"stream": "a", "seq": 2}
    new.take(notice(3))
    assert len(pushes.faults) == 1


def letters(first: int, count: int, senders: int = 1) -> list[dict[str, Any]]:
    data = [{"sender": str(number % senders)} for number in range(count)]
    return [{"push": "mail", "seq": first + number, "data": each} for number, each in enumerate(data)]


@pytest.mark.parametrize(
    ("frames", "faults"),
    [
        (letters(4, 20), 0),
        (letters(4, 19), 1),
        (letters(4, 99, 9), 1),
        (letters(4, 100, 9), 0),
        ([*letters(4, 10), player(13, 4), *letters(14, 10)], 1),
        ([*letters(4, 20), *letters(25, 1)], 1),
    ],
)
def test_older_pushes_may_be_gone_only_before_as_many_as_are_kept(frames: list[dict[str, Any]], faults: int) -> None:
    pushes = PushHistory()
    delivered(pushes, greeting(), *frames)
    assert len(pushes.faults) == faults


@pytest.mark.parametrize(
    ("missed", "faults"),
    [
        (letters(4, 40), 0),
        (letters(5, 40), 1),
        ([*letters(4, 6), *letters(11, 25)], 1),
        ([*letters(4, 6), player(9, 4), *letters(11, 25)], 1),
    ],
    ids=["all of them", "without the first", "without one", "without one, and the player between"],
)
def test_a_hello_that_resumes_has_every_letter_or_says_that_some_are_skipped(
    missed: list[dict[str, Any]], faults: int
) -> None:
    pushes = PushHistory()
    delivered(pushes, greeting("a"), *letters(1, 3))
    delivered(pushes, greeting("a", 3, resumed=True), *missed).caught_up()
    assert len(pushes.faults) == faults
    skipping = PushHistory()
    delivered(skipping, greeting("a"), *letters(1, 3))
    delivered(skipping, {**greeting("a", 4, resumed=True), "mail_skipped": True}, *missed).caught_up()
    assert skipping.faults == []


def test_a_hello_that_resumes_begins_after_what_was_seen() -> None:
    pushes = PushHistory()
    delivered(pushes, greeting("a"), *letters(1, 3))
    delivered(pushes, greeting("a", 5, resumed=True)).caught_up()
    assert len(pushes.faults) == 1, "4 and 5 are missing, and no push follows that would show it"


@pytest.mark.parametrize(("stream", "seq", "faults"), [("a", 3, 1), ("a", 4, 0), ("a", 1, 0), ("b", 3, 0)])
def test_a_hello_from_the_end_of_a_stream_resumes(stream: str, seq: int, faults: int) -> None:
    pushes = PushHistory()
    delivered(pushes, greeting("a"), *letters(1, 3))
    delivered(pushes, greeting(stream, seq))
    assert len(pushes.faults) == faults


def test_what_a_node_no_longer_found_after_it_had_caught_up_is_no_gap() -> None:
    pushes = PushHistory()
    delivered(pushes, greeting("a"), *letters(1, 3))
    socket = delivered(pushes, greeting("a", 3, resumed=True), *letters(4, 2))
    socket.caught_up()
    for frame in letters(9, 20):
        socket.take(frame)
    assert pushes.faults == []
