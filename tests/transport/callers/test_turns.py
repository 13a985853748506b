"""What an address sends at once is taken a few at a time, so that others' turn comes in between."""

import asyncio
import time
from collections import Counter
from collections.abc import Hashable

import pytest

from gameserver.rules.errors import RateLimited
from gameserver.transport.callers.turns import (
    AT_ONCE,
    LONGEST_DEBT,
    LONGEST_TURN,
    LONGEST_WAIT,
    PLAYERS_AT_ONCE,
    SHARE,
    STRETCH,
    TOGETHER,
    AddressTurns,
    PacedTurns,
)
from gameserver.transport.socket import conversation
from tests.support.client import Api
from tests.support.loop_turns import LoopTurns

FRAMES = 100


async def test_the_loop_turns_to_others_while_a_socket_has_much_to_say(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await api.socket((await api.sign_up()).token)
    turns, taken = LoopTurns(), Counter[int]()
    object_of = conversation._object_of

    def counted(*arguments: object) -> object:
        taken[turns.number] += 1
        return object_of(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(conversation, "_object_of", counted)
    for number in range(FRAMES):  # all in one write
        await socket.connection.send_json({"id": number, "op": "read"})
    answers = {(await socket.connection.receive_json())["id"] for _ in range(FRAMES)}
    turns.stop()
    assert answers == set(range(FRAMES))
    assert max(taken.values()) <= AT_ONCE


async def _take(turns: PacedTurns, whose: Hashable) -> None:
    if not turns.take(whose):
        await turns.wait(whose)


async def test_what_an_address_sends_is_taken_in_its_order_and_no_faster_than_one_each_interval() -> None:
    turns, loop = PacedTurns(LONGEST_TURN), asyncio.get_running_loop()
    taken: list[tuple[int, float]] = []

    async def one(number: int) -> None:
        await _take(turns, "flood")
        taken.append((number, loop.time()))

    began = time.monotonic()
    flood = [asyncio.create_task(one(number)) for number in range(5 * AT_ONCE)]
    await asyncio.sleep(0)
    assert turns.take("other")
    await asyncio.gather(*flood)
    assert [number for number, _ in taken] == list(range(5 * AT_ONCE))
    assert time.monotonic() - began >= (len(flood) - AT_ONCE) * LONGEST_TURN * 0.99


async def test_one_connection_after_the_other_is_no_way_around_the_interval() -> None:
    turns, began = PacedTurns(LONGEST_TURN), time.monotonic()
    for _ in range(5 * AT_ONCE):
        await _take(turns, "flood")
    assert time.monotonic() - began >= 4 * AT_ONCE * LONGEST_TURN * 0.99


async def test_what_costs_more_has_the_next_ones_of_its_address_wait() -> None:
    turns = PacedTurns(LONGEST_TURN)
    turns.charge("dear", 0.02)
    began = time.monotonic()
    assert turns.take("other")
    await _take(turns, "dear")
    assert time.monotonic() - began >= 0.02 / SHARE - AT_ONCE * LONGEST_TURN


async def test_who_waits_comes_to_its_turn_whatever_others_of_its_address_are_charged_meanwhile() -> None:
    turns = PacedTurns(LONGEST_TURN, lambda: 1.0)

    async def charge() -> None:
        while True:
            turns.charge("school", 3600)
            await asyncio.sleep(0.01)

    charging = asyncio.create_task(charge())
    await asyncio.sleep(0)
    async with asyncio.timeout(10 * LONGEST_DEBT):
        await asyncio.gather(*(turns.wait("school") for _ in range(4)))
    charging.cancel()


async def test_a_request_that_would_wait_for_long_is_refused_and_says_for_how_long() -> None:
    turns = AddressTurns(LONGEST_TURN, lambda: 1.0)
    for _ in range(int(LONGEST_WAIT / (STRETCH * LONGEST_TURN))):
        turns.admit("flood", lambda: None)
    with pytest.raises(RateLimited) as caught:
        [turns.admit("flood", lambda: None) for _ in range(2 * AT_ONCE)]
    assert caught.value.retry_after == pytest.approx(LONGEST_WAIT, rel=0.1)
    assert turns.admit("other", lambda: None) is None
    assert turns.admit("flood", lambda: 7) is None, "a known player has turns of its own"


async def test_a_request_that_has_waited_for_too_long_is_refused_though_it_looked_as_if_it_would_not() -> None:
    turns, heard, waits = AddressTurns(LONGEST_TURN, lambda: 0.0), list[str](), list[float]()

    async def one() -> None:
        try:
            if (turn := turns.admit("dear", lambda: None)) is not None:
                await turn
            turns.charge("dear", 0.05)
            heard.append("taken")
        except RateLimited as error:
            heard.append("refused")
            waits.append(error.retry_after or 0)

    began = time.monotonic()
    await asyncio.gather(*(one() for _ in range(100)))
    assert "refused" in heard
    assert min(waits) >= LONGEST_WAIT / 2
    assert time.monotonic() - began < LONGEST_WAIT + 10 * LONGEST_DEBT


async def test_a_known_player_that_waits_gets_the_next_turn_of_its_own_however_many_wait_before_it() -> None:
    turns = AddressTurns(LONGEST_TURN, lambda: 1.0)
    flood = [turns.admit("school", lambda: None) for _ in range(200)]
    own = [turns.admit_frame("school", lambda: 7) for _ in range(PLAYERS_AT_ONCE + 1)]
    assert [each is None for each in own] == [True] * PLAYERS_AT_ONCE + [False]
    last = own[-1]
    assert last is not None
    await last
    assert sum(each is not None and not each.done() for each in flood) > 100
    for each in flood:
        if each is not None:
            each.cancel()


async def test_one_known_player_has_no_more_wait_than_strangers_and_turns_of_its_own() -> None:
    turns, waiting = AddressTurns(LONGEST_TURN, lambda: 1.0), list[asyncio.Future[None]]()
    refused = 0
    for _ in range(2000):
        try:
            if (turn := turns.admit("school", lambda: 7)) is not None:
                waiting.append(turn)
        except RateLimited:
            refused += 1
    assert refused > 1000
    assert len(waiting) <= LONGEST_WAIT / (STRETCH * LONGEST_TURN) + 3 * AT_ONCE
    for each in waiting:
        each.cancel()


async def test_who_sends_evenly_is_slowed_on_a_busy_node_too() -> None:
    turns, began, count = PacedTurns(LONGEST_TURN, lambda: 1.0), time.monotonic(), 60
    for _ in range(count):
        await _take(turns, "flood")
        await asyncio.sleep(1.1 * LONGEST_TURN)
    assert time.monotonic() - began >= (count - 1 - AT_ONCE) * STRETCH * LONGEST_TURN * 0.99


async def test_a_larger_limit_has_a_shorter_interval_also_for_those_that_wait() -> None:
    turns, loop, count = PacedTurns(0.0001), asyncio.get_running_loop(), 2000
    waiting = [turns.wait("carrier") for _ in range(count)]
    called = list[float]()
    for each in waiting:
        each.add_done_callback(lambda _: called.append(loop.time()))
    await asyncio.gather(*waiting)
    by_moment = Counter(round(moment, 4) for moment in called)
    assert max(by_moment.values()) > TOGETHER


async def test_while_the_node_is_busy_what_waits_waits_longer_and_what_is_sent_slowly_does_not() -> None:
    turns, began = PacedTurns(LONGEST_TURN, lambda: 1.0), time.monotonic()
    for _ in range(AT_ONCE):
        await _take(turns, "flood")
    few = 1 + AT_ONCE / STRETCH
    assert time.monotonic() - began >= (AT_ONCE - few) * STRETCH * LONGEST_TURN * 0.99, "few are taken at once, too"
    assert turns.take("other")


async def test_players_of_an_address_have_turns_of_their_own_besides() -> None:
    turns = AddressTurns(0.5, lambda: 0.0)
    strangers = [turns.admit("school", lambda: None) for _ in range(AT_ONCE + 1)]
    assert [each is None for each in strangers] == [True] * AT_ONCE + [False]
    ann = [turns.admit("school", lambda: 1) for _ in range(PLAYERS_AT_ONCE + 1)]
    assert [each is None for each in ann] == [True] * PLAYERS_AT_ONCE + [False], "and no more than that"
    assert turns.admit("school", lambda: 2) is None
    assert ann[-1] is not None
    began = time.monotonic()
    await ann[-1]
    assert time.monotonic() - began < 10 * 0.5, "it has the next of its own, and waits behind no stranger"


async def test_addresses_that_are_at_rest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gameserver.transport.callers.turns.LARGEST_TABLE", 100)
    turns = PacedTurns(LONGEST_TURN)
    for number in range(1000):
        assert turns.take(number)
    assert len(turns) <= 200


async def test_a_socket_that_ends_while_it_waits_takes_no_turn() -> None:
    turns = PacedTurns(0.5)
    tasks = [asyncio.create_task(_take(turns, "one")) for _ in range(4 * AT_ONCE + 1)]
    await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) == AT_ONCE
    for task in tasks[AT_ONCE:-1]:
        task.cancel()
    await asyncio.wait_for(tasks[-1], 3)
