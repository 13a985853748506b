"""What haproxy.cfg does to requests on their way, seen by nodes that only note them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from email.parser import BytesParser
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from gameserver.stack.servers import haproxy_config
from gameserver.transport.routes import ROUTES
from tests.docker import front
from tests.docker.front import DockerFront

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
KEY = {"Idempotency-Key": "019aac7e-5a3b-7c55-8d9a-111111111111"}
Starts = Callable[[bytes], Awaitable[DockerFront]]


@asynccontextmanager
async def node_that(answers: bytes, heard: list[bytes]) -> AsyncIterator[int]:
    """Notes the heads of requests and answers each so, or breaks off when that is empty. Gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                is_check = head.startswith(b"GET /ready")
                if not is_check:
                    heard.append(head)
                writer.write(ANSWER if is_check else answers)
                if not (is_check or answers):
                    break
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def heard() -> list[bytes]:
    """The heads of the requests that came to a node."""
    return []


@pytest.fixture
async def before(tmp_path: Path, heard: list[bytes]) -> AsyncIterator[Starts]:
    """Starts HAProxy before two nodes that both answer so."""
    async with AsyncExitStack() as stack:

        async def start(answers: bytes) -> DockerFront:
            ports = [await stack.enter_async_context(node_that(answers, heard)) for _ in range(2)]
            return await stack.enter_async_context(front.running(tmp_path, ports))

        yield start


@pytest.mark.parametrize(
    ("method", "path", "headers", "tries"),
    [
        ("GET", "/v1/players/me", {}, 3),
        ("PUT", "/v1/players/me/friends/7", {}, 3),
        ("POST", "/v1/players/me/actions", KEY, 3),
        ("POST", "/v1/players/me/actions", {}, 1),
        ("DELETE", "/v1/players/me", KEY, 3),
        ("DELETE", "/v1/players/me", {}, 1),
        # There a key says nothing: the node takes none.
        ("POST", "/v1/players/me/password", KEY, 1),
        ("POST", "/v1/players/me/passw%6frd", KEY, 1),
        ("DELETE", "/v1/sessions/current", KEY, 1),
    ],
)
async def test_a_request_that_a_node_dropped_is_sent_again_unless_it_might_act_twice(
    before: Starts, heard: list[bytes], method: str, path: str, headers: dict[str, str], tries: int
) -> None:
    response, told = await (await before(b"")).ask(path, method, headers)
    assert len(heard) == tries
    assert (response.status, orjson.loads(told)["code"]) == (502, "outcome_unknown")
    assert orjson.loads(told)["request_id"] == response.headers["X-Request-Id"]


def test_paths_without_keys_are_those_of_the_routes_that_take_none() -> None:
    changes = [route for route in ROUTES if route.method in ("POST", "DELETE")]
    assert len(changes) > 40
    for route in changes:
        assert route.path.startswith(haproxy_config.WITHOUT_KEYS) is not route.terms.takes_command_id, route.path
    # What a PUT did is there already when it is sent again.
    assert {route.name for route in ROUTES if route.method == "PUT"} == {"befriend", "block"}


async def test_a_node_is_told_where_a_request_came_from_and_not_what_it_says(
    before: Starts, heard: list[bytes]
) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Request-Id": "mine-1"}
    response, _ = await (await before(ANSWER)).ask("/v1/classes", headers=forged)
    assert response.status == 200
    told = BytesParser().parsebytes(heard[0].split(b"\r\n", 1)[1])
    assert told.get_all("X-Forwarded-For") == ["127.0.0.1"]
    assert told.get_all("X-Request-Id") == ["mine-1"]


async def test_a_request_id_that_would_spoil_a_log_is_replaced(before: Starts, heard: list[bytes]) -> None:
    await (await before(ANSWER)).ask("/v1/classes", headers={"X-Request-Id": 'x", "y": "z'})
    told = BytesParser().parsebytes(heard[0].split(b"\r\n", 1)[1])
    assert UUID(told["X-Request-Id"])


async def test_operators_have_what_players_have(before: Starts, heard: list[bytes]) -> None:
    found = await before(ANSWER)
    paths = ["/v1/classes", "/admin/v1/stats", "/openapi.json"]
    for path in (*paths, "/live", "/ready"):
        await found.ask(path, door="operators")
    assert [head.split()[1].decode() for head in heard] == paths
