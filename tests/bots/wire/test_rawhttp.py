"""The lean HTTP client frames answers correctly, however they are cut into segments, on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.wire.rawhttp import HttpConnection

ANSWERS = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"hp":\r\n\r\n1',
    b"HTTP/1.1 409 Conflict\r\ncontent-length:2\r\nServer: x\r\n\r\n{}",
    b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n",
)
EXPECTED = [(200, b'{"hp":\r\n\r\n1'), (409, b"{}"), (204, b""), (503, b"")]


@asynccontextmanager
async def serving(segments: Sequence[bytes]) -> AsyncIterator[int]:
    """Send these segments on each connection, each flushed on its own, then close it."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # a client that can't frame an answer aborts
            for segment in segments:
                writer.write(segment)
                await writer.drain()
                await asyncio.sleep(0.0005)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def read(segments: Sequence[bytes]) -> tuple[list[tuple[int, bytes]], str]:
    """Return the answers taken from the segments, and why the connection ended."""
    taken: list[tuple[int, bytes]] = []
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with serving(segments) as port:
        connection = HttpConnection(lambda status, body: taken.append((status, body)), ended.set_result)
        await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", port)
        reason = await asyncio.wait_for(ended, 5)
    return taken, reason


async def test_answers_in_one_segment_are_taken_apart() -> None:
    assert await read([b"".join(ANSWERS)]) == (EXPECTED, "disconnected")


async def test_answers_of_a_byte_a_segment_are_put_together() -> None:
    whole = b"".join(ANSWERS)
    assert (await read([whole[at : at + 1] for at in range(len(whole))]))[0] == EXPECTED


@given(st.sets(st.integers(min_value=1, max_value=len(b"".join(ANSWERS)) - 1)))
def test_segments_may_fall_anywhere(cuts: set[int]) -> None:
    taken: list[tuple[int, bytes]] = []
    connection = HttpConnection(lambda status, body: taken.append((status, body)), lambda reason: None)
    whole, at = b"".join(ANSWERS), 0
    for cut in [*sorted(cuts), len(whole)]:
        connection.data_received(whole[at:cut])
        at = cut
    assert taken == EXPECTED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "no_content_length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "bad_content_length"),
        (b"SSH-2.0-x\r\n\r\n", "bad_status_line"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000, "head_too_long"),
    ],
)
async def test_an_answer_that_cannot_be_framed_ends_the_connection(answer: bytes, reason: str) -> None:
    assert await read([answer]) == ([], reason)


async def test_an_answer_triggers_the_next_request() -> None:
    requests: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(ANSWERS[1])
        writer.close()
        await writer.wait_closed()

    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        connection = HttpConnection(lambda *_: b"GET /next\r\n\r\n", ended.set_result)
        port = server.sockets[0].getsockname()[1]
        await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", port)
        connection.send(b"GET /first\r\n\r\n")
        await asyncio.wait_for(ended, 5)
    assert requests == [b"GET /first\r\n\r\n", b"GET /next\r\n\r\n", b"GET /next\r\n\r\n"]
