"""What one address may take of HAProxy, and who counts as an address when something stands in front of it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import orjson
import pytest

from gameserver.config.limits import LimitSettings, PerSecond
from gameserver.config.settings import Settings
from gameserver.stack.servers.haproxy_config import HAProxyPlace
from tests.docker.front import require_haproxy
from tests.stack.servers.test_haproxy import behind, child
from tests.support.nodes import start_node
from tests.support.wait import wait_until

WIDE = PerSecond(per_second=100_000, burst=1_000_000)
HOSTILE, HONEST = "127.0.0.66", "127.0.0.7"
FRONT = "127.0.0.1"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
"""The beginning of a header of the PROXY protocol, version 2, for TCP over IPv4."""


@asynccontextmanager
async def served(settings: Settings, folder: Path, section: dict[str, Any], **limits: Any) -> AsyncIterator[Settings]:
    """HAProxy with these limits in front of a node."""
    require_haproxy()
    free = {"connections_per_address": 1000, "new_connections_per_address": WIDE, "requests_per_address": WIDE}
    chosen = LimitSettings(**{**free, **limits})
    fronted = behind(settings, **section).model_copy(update={"limits": chosen})
    async with AsyncExitStack() as stack:
        trusting = settings.node.model_copy(update={"trusted_proxies": (ip_network("127.0.0.1/32"),)})
        node = settings.model_copy(update={"node": trusting, "limits": LimitSettings(**one_sign_in())})
        await start_node(stack, node)
        front = child(fronted, folder, [HAProxyPlace("node-1", f"127.0.0.1:{settings.node.port}", open=True)])
        await front.check()
        await front.start()
        stack.push_async_callback(front.stop)

        async def ready() -> bool:
            assert fronted.haproxy is not None
            return await asked(fronted.haproxy.operators_port, FRONT, "/v1/classes") == 200

        await wait_until(ready, what="HAProxy has a node")
        yield fronted


def one_sign_in() -> dict[str, Any]:
    return {"sign_ins_per_address": {"per_minute": 0.01, "burst": 1}}


def opened(port: int, source: str, prefix: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(source, 0))
    if prefix:
        connection.sendall(prefix)
    return connection


def answer(
    connection: socket.socket, path: str = "/v1/classes", headers: str = "", method: str = "GET"
) -> tuple[int, bytes]:
    """The status of one request, 0 if the connection was cut, and all that came with it."""
    try:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode())
        received = connection.recv(65536)
    except ConnectionError:
        return 0, b""
    return (int(received.split()[1]) if received else 0), received


def sign_in(connection: socket.socket, headers: str = "") -> int:
    body = '{"device":"nobodys-device"}'
    head = f"POST /v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{headers}"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    return int(connection.recv(65536).split()[1])


async def asked(port: int, source: str, path: str = "/v1/classes", prefix: bytes = b"", headers: str = "") -> int:
    def ask() -> int:
        with opened(port, source, prefix) as connection:
            return answer(connection, path, headers)[0]

    try:
        return await asyncio.to_thread(ask)
    except ConnectionError:
        return 0


async def test_an_address_with_too_many_connections_gets_no_more_and_others_and_operators_play_on(
    settings: Settings, tmp_path: Path
) -> None:
    async with served(settings, tmp_path, {"connections": 60}, connections_per_address=20) as fronted:
        assert fronted.haproxy is not None
        port = fronted.haproxy.port
        with ExitStack() as stack:
            held: list[socket.socket] = []
            for _ in range(200):
                with suppress(ConnectionError):
                    held.append(stack.enter_context(opened(port, HOSTILE)))
            await asyncio.sleep(0.2)
            assert await asked(port, HOSTILE) == 0
            assert await asked(port, HONEST) == 200
            assert await asked(port, HONEST, "/ready") == 200
            assert await asked(fronted.haproxy.operators_port, HOSTILE, "/stats") == 200
            # HAProxy's threads accept at the same time, so which of the first ones it has is open.
            served_now = [await asyncio.to_thread(answer, connection) for connection in held]
            assert 15 <= [status for status, _ in served_now].count(200) <= 20, "those that it may have go on"
        await wait_until(lambda: is_served(port, HOSTILE), what="the address is served again once it has closed them")


async def test_several_addresses_together_leave_connections_to_those_that_have_few(
    settings: Settings, tmp_path: Path
) -> None:
    async with served(settings, tmp_path, {"connections": 100}, connections_per_address=20) as fronted:
        assert fronted.haproxy is not None
        port = fronted.haproxy.port
        with ExitStack() as stack:
            held: list[socket.socket] = []
            for source in range(66, 72):
                for _ in range(20):
                    with suppress(ConnectionError):
                        held.append(stack.enter_context(opened(port, f"127.0.0.{source}")))
            served_now = [await asyncio.to_thread(answer, connection) for connection in held]
            taken = [status for status, _ in served_now].count(200)
            # HAProxy's threads accept at the same time: some more than three quarters of its connections.
            assert 75 <= taken < 90
            assert [await asked(port, f"127.0.0.{source}") for source in (66, 67)] == [0, 0]
            # Others come in until it is nearly full, and then with one connection each.
            for source in range(30, 30 + 93 - taken):
                one = stack.enter_context(opened(port, f"127.0.0.{source}"))
                assert (await asyncio.to_thread(answer, one))[0] == 200
            assert [await asked(port, f"127.0.0.{source}") for source in (30, 7)] == [0, 200]
        await wait_until(lambda: is_served(port, "127.0.0.66"), what="the address is served again once there is room")


async def is_served(port: int, source: str) -> bool:
    return await asked(port, source) == 200


async def test_an_address_that_connects_too_often_is_refused_for_the_window_and_others_arent(
    settings: Settings, tmp_path: Path
) -> None:
    rare = PerSecond(per_second=1, burst=10)
    async with served(settings, tmp_path, {}, new_connections_per_address=rare) as fronted:
        assert fronted.haproxy is not None
        port = fronted.haproxy.port
        assert [await asked(port, HOSTILE) for _ in range(30)] == [200] * 20 + [0] * 10
        assert await asked(port, HONEST) == 200


async def test_an_address_that_asks_too_often_is_answered_429_and_then_cut(settings: Settings, tmp_path: Path) -> None:
    few = PerSecond(per_second=1, burst=10)
    async with served(settings, tmp_path, {}, requests_per_address=few) as fronted:
        assert fronted.haproxy is not None
        port = fronted.haproxy.port
        statuses, last = [], b""
        for path in ["/v1/classes", "/ready"] * 20:
            with opened(port, HOSTILE) as connection:
                status, received = await asyncio.to_thread(answer, connection, path)
                statuses.append(status)
                last = received if status == 429 else last
        assert statuses[:20] == [200] * 20
        assert set(statuses[20:]) == {429}
        head, _, body = last.partition(b"\r\n\r\n")
        assert b"retry-after: 5" in head.lower()
        assert b"application/problem+json" in head
        assert orjson.loads(body)["code"] == "rate_limited"
        assert [await asked(port, HOSTILE) for _ in range(5)] == [0] * 5
        assert await asked(port, HONEST) == 200
        assert await asked(fronted.haproxy.operators_port, HOSTILE) == 200


async def test_preflights_count_as_requests(settings: Settings, tmp_path: Path) -> None:
    few, origin = PerSecond(per_second=1, burst=10), "https://game.example"
    node = settings.node.model_copy(update={"origins": (origin,)})
    own = settings.model_copy(update={"node": node})
    async with served(own, tmp_path, {}, requests_per_address=few) as fronted:
        assert fronted.haproxy is not None
        headers = f"Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n"

        async def asked_before(port: int) -> int:
            with opened(port, HOSTILE) as connection:
                return (await asyncio.to_thread(answer, connection, "/v1/players", headers, "OPTIONS"))[0]

        assert [await asked_before(fronted.haproxy.port) for _ in range(25)] == [204] * 20 + [429] * 5
        assert await asked_before(fronted.haproxy.operators_port) == 204


async def test_exempt_networks_arent_limited(settings: Settings, tmp_path: Path) -> None:
    few = PerSecond(per_second=1, burst=1)
    exempt = {"exempt": (f"{HOSTILE}/32", "2001:db8::/32"), "requests_per_address": few}
    async with served(settings, tmp_path, {}, connections_per_address=1, **exempt) as fronted:
        assert fronted.haproxy is not None
        with opened(fronted.haproxy.port, HOSTILE), opened(fronted.haproxy.port, HOSTILE):
            assert {await asked(fronted.haproxy.port, HOSTILE) for _ in range(30)} == {200}
        with opened(fronted.haproxy.port, HONEST) as first:
            # Answered, so it counts: HAProxy's threads accept at the same time, perhaps the second one first.
            assert (await asyncio.to_thread(answer, first))[0] == 200
            assert await asked(fronted.haproxy.port, HONEST) == 0


@pytest.mark.parametrize("version", [1, 2])
async def test_behind_the_proxy_protocol_each_client_counts_alone_up_to_the_node(
    settings: Settings, tmp_path: Path, version: int
) -> None:
    def header(client: str) -> bytes:
        if version == 1:
            return f"PROXY TCP4 {client} 127.0.0.1 50123 8080\r\n".encode()
        return V2 + socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + b"\xc3\xcb\x1f\x90"

    rare = PerSecond(per_second=1, burst=10)
    section = {"proxy_protocol_from": (f"{FRONT}/32",)}
    async with served(settings, tmp_path, section, new_connections_per_address=rare) as fronted:
        assert fronted.haproxy is not None
        port = fronted.haproxy.port
        answers = [await asked(port, FRONT, prefix=header("198.51.100.7")) for _ in range(30)]
        assert answers == [200] * 20 + [0] * 10
        assert await asked(port, FRONT, prefix=header("198.51.100.8")) == 200
        assert await asked(port, HONEST) == 200, "what isn't the load balancer speaks HTTP at once"
        assert await asked(port, HONEST, prefix=header("198.51.100.9")) in (0, 400), "and can't name another client"
        for number, expected in ((20, 401), (20, 429), (21, 401)):
            with opened(port, FRONT, header(f"198.51.100.{number}")) as connection:
                assert await asyncio.to_thread(sign_in, connection) == expected


async def test_clients_that_nat64_translates_count_each_alone_and_are_exempt_as_those_of_ipv4(
    settings: Settings, tmp_path: Path
) -> None:
    section, rare = {"proxy_protocol_from": (f"{FRONT}/32",)}, PerSecond(per_second=1, burst=10)
    limits = {"exempt": ("198.51.100.9/32",), "new_connections_per_address": rare}
    async with served(settings, tmp_path, section, **limits) as fronted:
        assert fronted.haproxy is not None
        port = fronted.haproxy.port
        for last, refused in ((7, 10), (8, 10), (9, 0)):
            header = f"PROXY TCP6 64:ff9b::198.51.100.{last} ::1 50123 8080\r\n".encode()
            answers = [await asked(port, FRONT, prefix=header) for _ in range(30)]
            assert answers == [200] * (30 - refused) + [0] * refused, last
        header = b"PROXY TCP6 2001:db8::%d ::1 50123 8080\r\n"
        assert [await asked(port, FRONT, prefix=header % last) for last in range(30)] == [200] * 20 + [0] * 10, "a /64"


async def test_behind_an_http_proxy_requests_count_by_the_client_that_it_names(
    settings: Settings, tmp_path: Path
) -> None:
    few = PerSecond(per_second=1, burst=10)
    section = {"forwarded_from": (f"{FRONT}/32",)}
    async with AsyncExitStack() as stack:
        limits = {"connections_per_address": 20, "requests_per_address": few}
        fronted = await stack.enter_async_context(served(settings, tmp_path, section, **limits))
        assert fronted.haproxy is not None
        port = fronted.haproxy.port
        for _ in range(30):
            stack.enter_context(opened(port, FRONT))

        async def ask(client: str, source: str = FRONT) -> int:
            return await asked(port, source, headers=f"X-Forwarded-For: 192.0.2.1, {client}\r\n")

        brackets = ("[2001:db8:1::1]:443", "[2001:db8:2::1]", '"[2001:db8:3::1]:443"')
        translated = ("64:ff9b::198.51.100.9", "64:ff9b::198.51.100.10", "[64:ff9b::198.51.100.11]:443")
        for spelt in ("198.51.100.7", "198.51.100.8:50123", "2001:db8::1", *brackets, *translated):
            assert [await ask(spelt) for _ in range(25)] == [200] * 20 + [429] * 5, spelt
        assert [await ask(one) for one in ("2001:db8::2", "[2001:db8:1::2]:444")] == [429] * 2, "one /64"
        assert [await ask(f"198.51.100.{number}", HONEST) for number in range(25)] == [200] * 20 + [429] * 5, "forged"
        for number, expected in ((20, 401), (20, 429), (21, 401)):
            with opened(port, FRONT) as connection:
                named = f"X-Forwarded-For: 192.0.2.1, 198.51.100.{number}:50123\r\n"
                assert await asyncio.to_thread(sign_in, connection, named) == expected
