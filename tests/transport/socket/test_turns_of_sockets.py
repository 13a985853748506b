"""Frames that a client sends at once are taken a few at a time, so that others' turn comes in between."""

import asyncio
from collections import Counter

import pytest

from gameserver.transport.socket import conversation
from tests.support.client import Api

FRAMES = 100


async def test_the_loop_turns_to_others_while_a_socket_has_much_to_say(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = await api.socket((await api.sign_up()).token)
    turn, taken = 0, Counter[int]()
    object_of = conversation._object_of

    def count_turns() -> None:
        nonlocal turn
        turn += 1
        if taken.total() < FRAMES:
            asyncio.get_running_loop().call_soon(count_turns)

    def counted(*arguments: object) -> object:
        taken[turn] += 1
        return object_of(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(conversation, "_object_of", counted)
    count_turns()
    for number in range(FRAMES):  # all in one write
        await socket.connection.send_json({"id": number, "op": "read"})
    answers = {(await socket.connection.receive_json())["id"] for _ in range(FRAMES)}
    assert answers == set(range(FRAMES))
    assert max(taken.values()) <= conversation.A_TURN
