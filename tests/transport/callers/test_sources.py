"""What one address may take of a node that nothing stands in front of: it is refused, and the others play on."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import aiohttp
import orjson
import pytest

from gameserver import telemetry
from gameserver.config.limits import LimitSettings, PerSecond
from gameserver.config.sections import SocketSettings
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.transport.callers.turns import (
    AT_ONCE,
    BYTE_SECONDS,
    ENTRY_SECONDS,
    LONGEST_TURN,
    PacedTurns,
)
from gameserver.transport.http import connections, middleware
from gameserver.transport.socket import conversation
from tests.support.client import Api
from tests.support.nodes import start_node
from tests.support.wait import wait_until

HOSTILE, HONEST, PROXY = "127.0.0.66", "127.0.0.7", "127.0.0.99"
REQUEST = b"GET /v1/classes HTTP/1.1\r\nHost: a\r\n\r\n"
NO_HTTP = b"NO HTTP\r\n\r\n"
EXPECTATION = b"GET /v1/classes HTTP/1.1\r\nHost: a\r\nExpect: all\r\n\r\n"
PREFLIGHT = (
    b"OPTIONS /v1/players HTTP/1.1\r\nHost: a\r\nOrigin: https://game.example\r\n"
    b"Access-Control-Request-Method: POST\r\n\r\n"
)
UPGRADE = (
    b"GET /v1/socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: gameserver.v1\r\n\r\n"
)
TAKEN: dict[str, tuple[bytes, int, Any, str]] = {
    "request": (REQUEST, 200, telemetry, "request_answered"),
    "upgrade": (UPGRADE, 101, conversation, "check_upgrade"),
    "no HTTP": (NO_HTTP, 400, connections, "problem_response"),
    "operators' path": (b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 404, middleware, "problem_response"),
    "preflight": (PREFLIGHT, 403, middleware, "_answer_preflight"),
    "bad host": (b"GET /v1/classes HTTP/1.1\r\nHost: a b\r\n\r\n", 400, middleware, "problem_response"),
    "expectation": (EXPECTATION, 417, connections, "problem_response"),
}
"""What may be sent, the status of its answer, and what the node calls once for each: a function of a module."""
FEW = PerSecond(per_second=0.01, burst=5)
Start = Callable[..., Awaitable[Settings]]


@pytest.fixture
async def start(settings: Settings) -> AsyncIterator[Start]:
    """Starts a node with these limits."""
    async with AsyncExitStack() as stack:

        async def started(sockets: int = 1000, operators: str | None = None, **limits: Any) -> Settings:
            chosen = LimitSettings(**limits)
            proxies = LimitSettings(exempt=(f"{PROXY}/32",)).exempt
            changes = {"trusted_proxies": proxies, "operators_listen": operators or f"127.0.0.1:{free_port()}"}
            node = settings.node.model_copy(update=changes)
            section = SocketSettings(per_node=sockets)
            own = settings.model_copy(update={"limits": chosen, "node": node, "sockets": section})
            await start_node(stack, own)
            return own

        yield started


def opened(settings: Settings, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", settings.node.port), timeout=5, source_address=(source, 0))


def answer(connection: socket.socket, request: bytes = REQUEST) -> tuple[int, bytes]:
    """The status of one request, 0 if the connection was cut, and all that came with it."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(request)
    return received(connection)


def received(connection: socket.socket) -> tuple[int, bytes]:
    try:
        head_and_body = connection.recv(65536)
    except ConnectionError:
        return 0, b""
    return (int(head_and_body.split()[1]) if head_and_body else 0), head_and_body


async def asked(settings: Settings, source: str) -> tuple[int, bytes]:
    def ask() -> tuple[int, bytes]:
        with opened(settings, source) as connection:
            return answer(connection)

    return await asyncio.to_thread(ask)


async def upgraded(settings: Settings, source: str, stack: AsyncExitStack, client: str = "") -> int:
    """The status of a socket's upgrade; the socket stays open as long as the stack."""
    connector = aiohttp.TCPConnector(local_addr=(source, 0))
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    headers = {"X-Forwarded-For": client} if client else {}
    try:
        connection = await session.ws_connect(f"http://127.0.0.1:{settings.node.port}/v1/socket", headers=headers)
    except aiohttp.WSServerHandshakeError as error:
        return error.status
    stack.push_async_callback(connection.close)
    return 101


async def test_an_address_with_too_many_connections_gets_429_until_it_closes_some(start: Start) -> None:
    own = await start(connections_per_address=10)
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(opened(own, HOSTILE))
        status, whole = await asked(own, HOSTILE)
        head, _, body = whole.partition(b"\r\n\r\n")
        assert (status, orjson.loads(body)["code"]) == (429, "rate_limited")
        assert b"Retry-After: 1" in head
        assert b"application/problem+json" in head
        for _ in range(50):
            assert (await asked(own, HOSTILE))[0] in (0, 429)
        assert (await asked(own, HONEST))[0] == 200
        assert [(await asked(own, PROXY))[0] for _ in range(20)] == [200] * 20

    async def is_served() -> bool:
        return (await asked(own, HOSTILE))[0] == 200

    await wait_until(is_served, what="the address is served again")


async def test_an_address_that_connects_or_asks_too_often_is_refused_and_others_arent(start: Start) -> None:
    own = await start(new_connections_per_address=FEW)
    assert [(await asked(own, HOSTILE))[0] for _ in range(8)] == [200] * 5 + [429] * 3
    assert (await asked(own, HONEST))[0] == 200


async def test_requests_on_one_connection_are_limited_by_their_address(start: Start) -> None:
    own = await start(requests_per_address=FEW)
    with opened(own, HOSTILE) as one, opened(own, HOSTILE) as two, opened(own, PROXY) as proxy:
        statuses = [(await asyncio.to_thread(answer, each))[0] for each in (one, two) * 4]
        assert statuses == [200] * 5 + [429] * 3
        assert [(await asyncio.to_thread(answer, proxy))[0] for _ in range(8)] == [200] * 8
    assert (await asked(own, HONEST))[0] == 200


def forwarded(client: str, path: str = "/v1/classes") -> bytes:
    """A request as a proxy passes it on."""
    return f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n".encode()


async def test_requests_behind_a_proxy_are_limited_by_the_client_it_names(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameserver.config.limits.WINDOW_SECONDS", 1000)
    own = await start(requests_per_address=FEW, exempt=("192.0.2.0/24",))
    with opened(own, PROXY) as one, opened(own, PROXY) as two:

        async def statuses(request: bytes) -> list[int]:
            return [(await asyncio.to_thread(answer, each, request))[0] for each in (one, two) * 10]

        assert await statuses(forwarded("198.51.100.7")) == [200] * 15 + [429] * 5, "5 at once, and 10 in 1000 s"
        assert await statuses(forwarded("203.0.113.9, 198.51.100.7")) == [429] * 20, "what a client writes is no other"
        assert await statuses(forwarded("192.0.2.1")) == [200] * 20, "an exempt client"
        assert await statuses(forwarded("unknown")) == [200] * 20, "who can't be told"
        assert await statuses(forwarded(PROXY)) == [200] * 20, "the proxy itself"
        assert await statuses(forwarded("198.51.100.8")) == [200] * 15 + [429] * 5, "another client"


@pytest.mark.parametrize("listener", ["port", "apart"])
async def test_operators_behind_a_proxy_arent_limited(
    start: Start, monkeypatch: pytest.MonkeyPatch, listener: str
) -> None:
    monkeypatch.setattr("gameserver.config.limits.WINDOW_SECONDS", 1000)
    apart = f"127.0.0.1:{free_port()}"
    own = await start(operators="port" if listener == "port" else apart, requests_per_address=FEW)
    port = own.node.port if listener == "port" else int(apart.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(PROXY, 0)) as connection:
        asked_for = forwarded("198.51.100.7", "/console")
        assert 429 not in [(await asyncio.to_thread(answer, connection, asked_for))[0] for _ in range(20)]


@pytest.mark.parametrize("kind", TAKEN)
async def test_what_an_address_asks_takes_turns_over_all_its_connections(
    start: Start, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    sent, status, module, name = TAKEN[kind]
    own, function = await start(), getattr(module, name)
    answered = list[float]()

    def noted(*arguments: Any) -> Any:
        answered.append(time.monotonic())
        return function(*arguments)

    with ExitStack() as stack:
        clients = [stack.enter_context(opened(own, HOSTILE)) for _ in range(5 * AT_ONCE)]
        for each in clients:  # has been accepted when it is answered
            assert (await asyncio.to_thread(answer, each))[0] == 200
        monkeypatch.setattr(module, name, noted)
        began = time.monotonic()
        for each in clients:
            each.sendall(sent)
        statuses = [(await asyncio.to_thread(received, each))[0] for each in clients]
    assert statuses == [status] * len(clients)
    assert len(answered) == len(clients)
    assert answered[-1] - began >= (len(clients) - AT_ONCE) * LONGEST_TURN * 0.99


@pytest.mark.parametrize("kind", TAKEN)
async def test_whatever_is_sent_counts_as_requests_of_its_address(start: Start, kind: str) -> None:
    sent, expected, _, _ = TAKEN[kind]
    own = await start(requests_per_address=FEW)

    def send() -> tuple[int, bytes]:
        with opened(own, HOSTILE) as connection:
            connection.sendall(sent)
            return received(connection)

    heard = [await asyncio.to_thread(send) for _ in range(8)]
    assert [status for status, _ in heard] == [expected] * 5 + [429] * 3
    assert all(b"Retry-After: " in whole for status, whole in heard if status == 429)
    assert (await asked(own, HOSTILE))[0] == 429
    assert (await asked(own, HONEST))[0] == 200


def posted(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


DEAR: dict[str, tuple[bytes, float]] = {
    "ranks": (b"GET /v1/boards/exp/ranks?ids=1,2,3,4,5 HTTP/1.1\r\nHost: a\r\n\r\n", 5 * ENTRY_SECONDS),
    "around": (b"GET /v1/boards/exp/around/1?radius=100 HTTP/1.1\r\nHost: a\r\n\r\n", 201 * ENTRY_SECONDS),
    "a large body": (posted("/v1/sessions", b'{"device": "%s"}' % (b"x" * 8000)), 8000 * BYTE_SECONDS),
}


@pytest.mark.parametrize("kind", DEAR)
async def test_what_costs_more_than_most_is_charged_to_its_address(
    start: Start, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    sent, least = DEAR[kind]
    charged = list[tuple[object, float]]()
    monkeypatch.setattr(PacedTurns, "charge", lambda _, whose, seconds: charged.append((whose, seconds)))
    own = await start()
    with opened(own, HOSTILE) as connection:
        assert (await asyncio.to_thread(answer, connection, sent))[0] != 429
    assert {whose for whose, _ in charged} == {HOSTILE}
    assert sum(seconds for _, seconds in charged) >= least
    charged.clear()
    with opened(own, HOSTILE) as connection:
        await asyncio.to_thread(answer, connection, posted("/v1/sessions", b'{"device": "short"}'))
    assert not charged, "what is small isn't charged for"


async def test_exempt_networks_may_do_all_of_it(start: Start) -> None:
    limits = {"connections_per_address": 1, "new_connections_per_address": FEW, "requests_per_address": FEW}
    own = await start(exempt=(f"{HOSTILE}/32",), sockets_per_address=1, sockets_without_hello_per_address=1, **limits)
    with opened(own, HOSTILE), opened(own, HOSTILE):
        assert [(await asked(own, HOSTILE))[0] for _ in range(10)] == [200] * 10
    async with AsyncExitStack() as stack:
        assert [await upgraded(own, HOSTILE, stack) for _ in range(3)] == [101] * 3


async def test_sockets_without_hello_are_limited_by_client_and_hello_gives_the_place_back(start: Start) -> None:
    own = await start(sockets_without_hello_per_address=2)
    async with AsyncExitStack() as stack:
        assert [await upgraded(own, PROXY, stack, "198.51.100.7:50123") for _ in range(4)] == [101, 101, 429, 429]
        assert await upgraded(own, PROXY, stack, "198.51.100.8") == 101, "another client of the proxy"
        assert [await upgraded(own, HOSTILE, stack) for _ in range(3)] == [101, 101, 429]
        api = await stack.enter_async_context(Api(f"http://127.0.0.1:{own.node.port}"))
        who = await api.sign_up()
        for _ in range(5):
            assert "ok" in await (await api.socket(who.token)).ask("ping")
    async with AsyncExitStack() as stack:

        async def is_open_again() -> bool:
            return await upgraded(own, HOSTILE, stack) == 101

        await wait_until(is_open_again, what="ended sockets have given their places back")


async def test_sockets_of_an_address_are_limited_also_after_hello(start: Start) -> None:
    own = await start(sockets_per_address=3)
    async with Api(f"http://127.0.0.1:{own.node.port}") as api:
        who = await api.sign_up()
        sockets = [await api.socket(who.token) for _ in range(3)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await api.raw_socket()
        assert caught.value.status == 429
        async with AsyncExitStack() as stack:
            assert await upgraded(own, HONEST, stack) == 101
        assert all(["ok" in await each.ask("ping") for each in sockets])


async def test_a_node_refuses_more_sockets_than_it_may_have(start: Start) -> None:
    own = await start(sockets=3)
    async with AsyncExitStack() as stack:
        assert [await upgraded(own, f"127.0.0.{number}", stack) for number in range(1, 6)] == [101] * 3 + [503] * 2
    assert (await asked(own, HONEST))[0] == 200
