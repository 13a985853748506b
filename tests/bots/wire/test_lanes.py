"""Kept HTTP connections: used again while they are good, and left where a server's answers need a general client."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from bots.wire import http, lanes, requests
from bots.wire.answers import LostError

GOOD = b"HTTP/1.1 200 OK\r\nServer: heroledger (node-7)\r\nContent-Length: 2\r\n\r\n{}"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{"a":1}\r\n0\r\n\r\n'
BUSY = b"HTTP/1.1 503 Unavailable\r\nretry-after: 3\r\nContent-Length: 0\r\n\r\n"
ASKED = requests.get("state", "/v1/players/me?with=ä")


class CountingServer:
    """Gives these answers in turn, the last one for ever, and counts its connections; `heads` are the requests."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = [*answers]
        self.connections = 0
        self.heads: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                if answer:
                    writer.write(answer)
                    await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[tuple[CountingServer, http.HttpSession]]:
    counting = CountingServer(answers)
    server = await asyncio.start_server(counting.serve, "127.0.0.1", 0)
    async with server, http.open_session() as session:
        counting.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield counting, session


async def test_one_connection_carries_one_request_after_another() -> None:
    async with serving(GOOD) as (server, session):
        answers = [await http.send(session, server.url, ASKED, {"X-A": "b"}, 5.0) for _ in range(3)]
    assert [(answer.ok, answer.node) for answer in answers] == [(True, "node-7")] * 3
    assert server.connections == 1
    assert server.heads[0].startswith(b"GET /v1/players/me?with=%C3%A4 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nX-A: b\r\n" in server.heads[0]


async def test_requests_at_once_have_connections_of_their_own() -> None:
    async with serving(GOOD) as (server, session):
        await asyncio.gather(*(http.send(session, server.url, ASKED, {}, 5.0) for _ in range(4)))
        await asyncio.gather(*(http.send(session, server.url, ASKED, {}, 5.0) for _ in range(4)))
    assert server.connections == 4


async def test_a_connection_that_its_server_ends_isnt_used_again() -> None:
    async with serving(LAST) as (server, session):
        for _ in range(2):
            assert (await http.send(session, server.url, ASKED, {}, 5.0)).ok
    assert server.connections == 2


async def test_a_connection_that_was_silent_for_long_isnt_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "IDLE_SECONDS", 0.0)
    async with serving(GOOD) as (server, session):
        for _ in range(2):
            assert (await http.send(session, server.url, ASKED, {}, 5.0)).ok
    assert server.connections == 2


async def test_an_address_that_answers_in_chunks_is_asked_by_a_general_client_from_then_on() -> None:
    async with serving(CHUNKED) as (server, session):
        with pytest.raises(LostError) as lost:
            await http.send(session, server.url, ASKED, {}, 5.0)
        assert (lost.value.answer.code, lost.value.answer.uncertain) == ("disconnected", True)
        assert (await http.send(session, server.url, ASKED, {}, 5.0)).body == {"a": 1}


async def test_an_answer_that_doesnt_come_is_a_timeout_and_its_connection_isnt_used_again() -> None:
    async with serving(b"", GOOD) as (server, session):
        with pytest.raises(LostError) as lost:
            await http.send(session, server.url, ASKED, {}, 0.05)
        assert (lost.value.answer.code, lost.value.answer.uncertain) == ("timeout", True)
        assert (await http.send(session, server.url, ASKED, {}, 5.0)).ok
    assert server.connections == 2


async def test_a_refusal_says_when_to_come_back() -> None:
    async with serving(BUSY) as (server, session):
        answer = await http.send(session, server.url, ASKED, {}, 5.0)
    assert (answer.code, answer.retry_after) == ("http_503", 3.0)


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with http.open_session() as session:
        with pytest.raises(LostError) as lost:
            await http.send(session, "http://127.0.0.1:1", ASKED, {}, 5.0)
    assert (lost.value.answer.code, lost.value.answer.uncertain) == ("cannot_connect", False)
