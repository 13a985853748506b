"""Frames that aiohttp's reader lets through: without a mask, and without an end."""

import asyncio
import itertools
import json
import struct
import time
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.config.settings import Settings
from gameserver.transport.socket import conversation, guard
from gameserver.transport.socket.pacing import FramePacing
from tests.support.client import Api
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until

HANDSHAKE = (
    b"GET /v1/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: gameserver.v1\r\n\r\n"
)
TEXT, CONTINUATION, PING = 1, 0, 9


def frame(payload: bytes, opcode: int = TEXT, end: bool = True, mask: bytes | None = b"\1\2\3\4") -> bytes:
    first, masked = opcode | (0x80 if end else 0), 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = bytes([first, masked | size])
    elif size < 1 << 16:
        head = bytes([first, masked | 126]) + struct.pack("!H", size)
    else:
        head = bytes([first, masked | 127]) + struct.pack("!Q", size)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


@asynccontextmanager
async def opened(node: InProcessNode) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = node.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(HANDSHAKE)
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.close()


async def received(reader: asyncio.StreamReader, seconds: float = 10) -> tuple[int, bytes]:
    first, second = await asyncio.wait_for(reader.readexactly(2), seconds)
    size = second
    if second == 126:
        size = int.from_bytes(await reader.readexactly(2))
    elif second == 127:
        size = int.from_bytes(await reader.readexactly(8))
    return first & 0x0F, await reader.readexactly(size)


async def closing_code(reader: asyncio.StreamReader, seconds: float = 10) -> int:
    while True:
        opcode, payload = await received(reader, seconds)
        if opcode == 8:
            return int.from_bytes(payload[:2])


def hello(token: str) -> bytes:
    return json.dumps({"id": 1, "op": "hello", "token": token}).encode()


async def test_an_unmasked_frame_ends_the_socket_with_1002(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up()
    greeting = hello(who.token)
    for sent in (frame(greeting, mask=None), frame(b"", PING, mask=None), frame(b"x" * 300, mask=None)):
        async with opened(node) as (reader, writer):
            writer.write(sent)
            assert await closing_code(reader) == 1002
    async with opened(node) as (reader, writer):
        writer.write(frame(greeting))
        opcode, payload = await received(reader)
        assert (opcode, "ok" in json.loads(payload)) == (1, True)
        writer.write(frame(b'{"id": 2, "op": "ping"}') + frame(b'{"id": 3, "op": "ping"}', mask=None))
        assert await closing_code(reader) == 1002


@pytest.mark.parametrize("greeted", [False, True])
@pytest.mark.parametrize("size", [0, 1])
async def test_fragments_without_an_end_are_cut_like_too_many_frames(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch, greeted: bool, size: int
) -> None:
    for module, deadline in ((conversation, "HELLO_SECONDS"), (guard, "MESSAGE_SECONDS")):
        monkeypatch.setattr(module, deadline, 60)
    who = await api.sign_up()
    async with opened(node) as (reader, writer):
        if greeted:
            writer.write(frame(hello(who.token)))
            await received(reader)
        flood = frame(b"x" * size, CONTINUATION, end=False) * 2000
        writer.write(frame(b"", end=False))
        closing = asyncio.create_task(closing_code(reader, 60))
        started = time.monotonic()
        with suppress(ConnectionError):
            while not closing.done() and time.monotonic() - started < 30:
                writer.write(flood)
                await writer.drain()
                await asyncio.sleep(0)
        await asyncio.wait([closing], timeout=30)
        assert closing.done()
        # A client that goes on sending to a closed connection may lose what it hasn't read, the close among it.
        lost = isinstance(closing.exception(), ConnectionError | asyncio.IncompleteReadError)
        assert lost or closing.result() in (4429, 1009)
        assert time.monotonic() - started < 30, "not only by a deadline"
        assert (await api.ask("GET", "/v1/classes")).status == 200


START, MORE = frame(b"", end=False), frame(b"", CONTINUATION, end=False)
DRIPPED = frame(b"x" * 300)
ENDLESS = {
    "empty fragments": (START, [MORE]),
    "fragments of a byte": (START, [frame(b"x", CONTINUATION, end=False)]),
    "fragments with pings between": (START, [frame(b"", PING), MORE]),
    "whole pings in a message": (START, [frame(b"", PING)]),
    "a header without its payload": (DRIPPED[:8], []),
    "half a header": (DRIPPED[:1], []),
    "a long header, a byte at a time": (b"", [DRIPPED[place : place + 1] for place in range(7)]),
    "a payload, a byte at a time": (DRIPPED[:8], [b"x"]),
    "a ping without its payload": (frame(b"x" * 100, PING)[:6], []),
    "a message's beginning behind a whole one": (frame(b'{"id": 2, "op": "ping"}') + START, [MORE]),
}


@pytest.mark.family(6)
@pytest.mark.parametrize("greeted", [False, True])
@pytest.mark.parametrize("endless", ENDLESS)
async def test_a_message_that_isnt_whole_in_time_ends_the_socket(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch, endless: str, greeted: bool
) -> None:
    monkeypatch.setattr(conversation, "HELLO_SECONDS", 60)
    monkeypatch.setattr(guard, "MESSAGE_SECONDS", 0.5)
    who = await api.sign_up()
    begun, parts = ENDLESS[endless]
    async with opened(node) as (reader, writer):
        if greeted:
            writer.write(frame(hello(who.token)))
            await received(reader)
        closing = asyncio.create_task(closing_code(reader))
        writer.write(begun)
        for part in itertools.chain.from_iterable(itertools.repeat(parts, 100)):
            if closing.done():
                break
            writer.write(part)
            await asyncio.sleep(0.1)
        code = await asyncio.wait_for(closing, 10)
        assert code == (4401 if "whole one" in endless and not greeted else 4408)


async def test_each_message_has_the_whole_time(api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose bytes arrive so that something is always under way goes on."""
    monkeypatch.setattr(guard, "MESSAGE_SECONDS", 1.0)
    who = await api.sign_up()
    message = frame(b'{"id": 2, "op":', end=False) + frame(b' "ping"}', CONTINUATION)
    many = message * 12
    places = [0, *(number * len(message) + 1 + 5 * number % (len(message) - 1) for number in range(12)), len(many)]
    async with opened(node) as (reader, writer):
        writer.write(frame(hello(who.token)))
        await received(reader)
        for place, after in itertools.pairwise(places):
            assert after == len(many) or after % len(message), "no piece ends with a message"
            writer.write(many[place:after])
            await asyncio.sleep(0.25)
        for _ in range(12):
            opcode, payload = await received(reader)
            assert (opcode, "ok" in json.loads(payload)) == (TEXT, True)


async def test_fragments_of_honest_clients_are_read_however_they_arrive(
    api: Api, node: InProcessNode, settings: Settings
) -> None:
    who = await api.sign_up()
    greeting = hello(who.token)
    parts = [greeting[place : place + 7] for place in range(0, len(greeting), 7)]
    message = frame(parts[0], end=False) + frame(b"", PING)
    message += b"".join(frame(part, CONTINUATION, end=False) for part in parts[1:-1]) + frame(parts[-1], CONTINUATION)
    message += frame(json.dumps({"id": 2, "op": "ping", "padding": "x" * 9000}).encode())
    message += frame(json.dumps({"id": 3, "op": "ping"}).encode())
    for step in (1, 5, 1000, len(message)):
        async with opened(node) as (reader, writer):
            for place in range(0, len(message), step):
                writer.write(message[place : place + step])
                if step < 1000:
                    await asyncio.sleep(0)
            answers: dict[int, str] = {}
            while len(answers) < 3:
                opcode, payload = await received(reader)
                if opcode == TEXT and (answer := json.loads(payload)).get("id"):
                    answers[answer["id"]] = "ok" if "ok" in answer else answer["error"]["code"]
            assert answers == {1: "ok", 2: "bad_input", 3: "ok"}, step


def test_what_a_client_sends_ahead_in_small_pieces_is_charged_for_and_read_no_further() -> None:
    reader, channel, pacing = Mock(), Mock(closing=False), Mock()
    reader.feed_data.return_value = (False, b"")
    guarded = guard.FrameGuard(reader, channel, pacing)
    for _ in range(guard.SMALL - 1):
        guarded.feed_data(frame(b"{}"))
    assert not channel.pause_reading.called
    assert not pacing.charge.called
    guarded.feed_data(frame(b"{}"))
    channel.pause_reading.assert_called_once_with()
    pacing.charge.assert_called_once_with(guard.SMALL * guard.SMALL_SECONDS)
    guarded.feed_data(frame(b"{}") * 100)
    seconds = guard.SMALL_SECONDS + guard.SMALL * guard.FRAME_SECONDS
    pacing.charge.assert_called_with(seconds, guard.SMALL * len(frame(b"{}")))


PIECES = st.lists(
    st.tuples(st.sampled_from([0, 1, 100, 200, 5000]), st.sampled_from([TEXT, PING]), st.integers(1, 40)), max_size=12
)


@given(PIECES, st.lists(st.integers(1, 4000), max_size=30), st.randoms(use_true_random=False))
def test_all_that_comes_reaches_the_reader_in_its_order_and_little_of_it_ahead(
    pieces: list[tuple[int, int, int]], cuts: list[int], random: Random
) -> None:
    frames = list[bytes]()
    for size, opcode, many in pieces:
        frames += [frame(b"x" * min(size, 120 if opcode == PING else size), opcode)] * many
    asyncio.run(_in_pieces(frames, cuts, random))


async def _in_pieces(frames: list[bytes], cuts: list[int], random: Random) -> None:
    ends, stream = list(itertools.accumulate(map(len, frames))), b"".join(frames)
    reader, channel = Mock(), Mock(closing=False, is_paused=False)
    reader.feed_data.return_value = (False, b"")
    guarded = guard.FrameGuard(reader, channel, FramePacing(None))
    taken = place = 0

    def given_to_reader() -> bytes:
        return b"".join(call.args[0] for call in reader.feed_data.call_args_list)

    def take(most: int) -> None:
        nonlocal taken
        for _ in range(most):
            if taken < bisect_right(ends, len(given_to_reader())):
                taken += 1
                guarded.is_holding()

    for size in (*cuts, len(stream)):
        guarded.feed_data(stream[place : place + size])
        place = min(place + size, len(stream))
        take(random.randrange(60))
        given = given_to_reader()
        assert stream.startswith(given)
        if guarded._held:
            assert bisect_right(ends, len(given)) - taken <= 3 * guard.SMALL
    take(len(frames))
    assert (given_to_reader(), taken) == (stream, len(frames))
    guarded.feed_eof()


def test_what_waits_as_a_socket_closes_is_passed_on_if_it_is_little_and_else_no_more_is_read() -> None:
    for many, is_read_on in ((guard.SMALL + 1, True), (guard.SMALL + guard.LATE_BYTES, False)):
        reader, channel = Mock(), Mock(closing=False)
        reader.feed_data.return_value = (False, b"")
        guarded = guard.FrameGuard(reader, channel, FramePacing(None))
        guarded.feed_data(frame(b"{}") * many)
        channel.closing = True
        held = [guarded.is_holding() for _ in range(guard.SMALL)]
        assert held == [True] * (guard.SMALL - 1) + [not is_read_on]
        assert channel.stop_reading.called is not is_read_on
        assert (reader.feed_data.call_count == 2) is is_read_on


@pytest.mark.parametrize("broken_off", [False, True])
async def test_a_client_that_sends_much_ahead_and_shuts_its_side_is_answered_unless_it_breaks_off(
    node: InProcessNode, api: Api, broken_off: bool
) -> None:
    hello = frame(json.dumps({"id": 0, "op": "hello", "token": (await api.sign_up()).token}).encode())
    ask, count, answers = frame(b'{"id":1,"op":"ping"}'), 20 * guard.SMALL, 0
    async with opened(node) as (reader, writer):
        writer.write(hello + ask * count + ask[: -3 if broken_off else 0])
        writer.write_eof()
        with suppress(asyncio.IncompleteReadError):
            while (found := await received(reader))[0] == TEXT:
                answers += b'"id":1' in found[1]
    assert broken_off or answers == count


async def test_what_came_in_small_pieces_is_answered_all_the_same(api: Api) -> None:
    socket = await api.socket((await api.sign_up()).token)
    for number in range(10 * guard.SMALL):
        await socket.connection.send_json({"id": number, "op": "ping"})
        await asyncio.sleep(0)
    assert {(await socket.connection.receive_json())["id"] for _ in range(10 * guard.SMALL)} == set(
        range(10 * guard.SMALL)
    )


async def test_a_frame_whose_rest_the_node_itself_does_not_read_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MESSAGE_SECONDS", 0.02)
    reader, channel = Mock(), Mock(closing=False, is_paused=True)
    reader.feed_data.return_value = (False, b"")
    guarded = guard.FrameGuard(reader, channel, Mock())
    guarded.feed_data(frame(b"x" * 200)[:100])
    await asyncio.sleep(0.1)
    assert not channel.end.called
    channel.is_paused = False
    await wait_until(lambda: channel.end.called, what="a frame that isn't whole in time ends the socket")
