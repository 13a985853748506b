"""Frames that an address sends at once are taken a few at a time, so that others' turn comes in between."""

import asyncio
from collections import Counter
from collections.abc import Hashable

import pytest

from gameserver.transport.socket import conversation
from gameserver.transport.socket.turns import A_TURN, FrameTurns
from tests.support.client import Api

FRAMES = 100


class LoopTurns:
    """Counts the turns of the loop until it is stopped."""

    def __init__(self) -> None:
        self.number = 0
        self._next = asyncio.get_running_loop().call_soon(self._count)

    def _count(self) -> None:
        self.number += 1
        self._next = asyncio.get_running_loop().call_soon(self._count)

    def stop(self) -> None:
        self._next.cancel()


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


async def _frames(turns: FrameTurns, whose: Hashable, count: int, taken: list[tuple[int, Hashable]]) -> None:
    loop = LoopTurns()
    for _ in range(count):
        await turns.take(whose)
        taken.append((loop.number, whose))
    loop.stop()


async def test_all_sockets_of_an_address_share_its_turns_and_take_none_of_others() -> None:
    turns = FrameTurns()
    taken: list[tuple[int, Hashable]] = []
    flood = [_frames(turns, "flood", 10, taken) for _ in range(5 * A_TURN)]
    await asyncio.gather(*flood, _frames(turns, "other", 1, taken))
    by_turn = Counter(taken)
    assert by_turn.total() == 50 * A_TURN + 1
    assert max(by_turn.values()) == A_TURN
    assert min(turn for turn, whose in taken if whose == "other") <= min(turn for turn, _ in taken) + 1


async def test_a_socket_that_ends_while_it_waits_takes_no_turn() -> None:
    turns = FrameTurns()
    tasks = [asyncio.create_task(turns.take("one")) for _ in range(2 * A_TURN + 1)]
    await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) == A_TURN
    for task in tasks[A_TURN:-1]:
        task.cancel()
    await asyncio.wait_for(tasks[-1], 1)
