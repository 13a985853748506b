"""What an address sends at once is taken a few at a time, so that others' turn comes in between."""

import asyncio
from collections import Counter
from collections.abc import Hashable

import pytest

from gameserver.transport.callers.turns import A_TURN, LONGEST_PAUSE, AddressTurns
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
    assert max(taken.values()) <= A_TURN


async def _take(turns: AddressTurns, whose: Hashable) -> None:
    if (turn := turns.take(whose)) is not None:
        await turn


async def test_all_sockets_of_an_address_share_its_turns_and_take_none_of_others() -> None:
    turns, loop = AddressTurns(LONGEST_PAUSE), LoopTurns()
    taken: list[tuple[int, Hashable]] = []

    async def frames(whose: Hashable, count: int) -> None:
        for _ in range(count):
            await _take(turns, whose)
            taken.append((loop.number, whose))

    await asyncio.gather(*(frames("flood", 10) for _ in range(5 * A_TURN)), frames("other", 1))
    loop.stop()
    by_turn = Counter(taken)
    assert by_turn.total() == 50 * A_TURN + 1
    assert max(by_turn.values()) == A_TURN
    assert min(turn for turn, whose in taken if whose == "other") <= min(turn for turn, _ in taken) + 1


async def test_a_burst_of_an_address_is_spread_over_time_and_others_come_at_once() -> None:
    turns, loop = AddressTurns(60), asyncio.get_running_loop()
    taken: list[float] = []

    async def one() -> None:
        await _take(turns, "flood")
        taken.append(loop.time())

    flood = [asyncio.create_task(one()) for _ in range(5 * A_TURN)]
    await asyncio.sleep(0)
    assert turns.take("other") is None
    await asyncio.gather(*flood)
    assert taken[-1] - taken[0] < 1, "a burst comes soon, however little an address may send for long"
    first, *rest = [taken[number] for number in range(0, len(taken), A_TURN)]
    assert all(moment - first >= number * LONGEST_PAUSE * 0.9 for number, moment in enumerate(rest, 1))


async def test_a_socket_that_ends_while_it_waits_takes_no_turn() -> None:
    turns = AddressTurns(LONGEST_PAUSE)
    tasks = [asyncio.create_task(_take(turns, "one")) for _ in range(2 * A_TURN + 1)]
    await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) == A_TURN
    for task in tasks[A_TURN:-1]:
        task.cancel()
    await asyncio.wait_for(tasks[-1], 1)
