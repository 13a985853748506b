"""What every answer carries: the request's id, the node's name, and the leave for a page of a listed origin."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from gameserver.config.settings import Settings
from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Api, Signed
from tests.support.nodes import start_node
from tests.transport.doors import assert_problem, fields_of, raw_answer, unchanged

ORIGIN = "https://game.example"
EXPORTS = [route.path for route in ROUTES if route.path.endswith(("/export", "/export/{id}"))]
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
KEY = base64.b64encode(b"sixteen bytes ok").decode()


@dataclass
class Reply:
    """An answer as its bytes say it; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])


def reply_of(raw: bytes) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Reply(int(status.split()[1]), headers, body)


async def asked(url: str, start: str, *headers: str) -> Reply:
    """The answer to a request with these lines, which needn't be HTTP, once the connection is closed."""
    lines = (start, "Host: x", *headers)
    return reply_of(await raw_answer(url, "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"))


@pytest.fixture
async def web_api(settings: Settings) -> AsyncIterator[Api]:
    async with AsyncExitStack() as stack:
        node = settings.node.model_copy(update={"origins": (ORIGIN,)})
        started = await start_node(stack, settings.model_copy(update={"node": node}))
        yield await stack.enter_async_context(Api(started.url))


async def test_files_carry_what_every_answer_carries(web_api: Api) -> None:
    who = await web_api.sign_up()
    assert len(EXPORTS) >= 4
    for path in EXPORTS:
        target = path.replace("{id}", who.id)
        token = ADMIN_KEY if path.startswith("/admin/") else who.token
        answer = await web_api.ask("GET", target, token=token, Origin=ORIGIN, X_Request_Id="abc")
        assert answer.status == 200, (path, answer.body)
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN, path
        assert (answer.headers["Vary"], answer.headers["X-Request-Id"]) == ("Origin", "abc"), path
        assert answer.headers["Server"] == "heroledger", path
        assert answer.headers.getall("Date") == [answer.headers["Date"]]


async def test_an_upgrade_carries_what_every_answer_carries(web_api: Api) -> None:
    connection = await web_api.raw_socket(**{"Origin": ORIGIN, "X-Request-Id": "abc"})
    headers = connection._response.headers
    assert (headers["X-Request-Id"], headers["Server"]) == ("abc", "heroledger")


TOO_LONG = [
    ("GET /v1/classes?" + "x" * 9000 + " HTTP/1.1", (), "uri_too_long"),
    ("GET /v1/classes HTTP/1.1", ("X-Long: " + "x" * 9000,), "headers_too_large"),
    ("GET /v1/classes HTTP/1.1", ("X-A: 1",) * 200, "headers_too_large"),
    ("GET /v1/classes HTTP/1.1", ("Expect: foo",), "expectation_failed"),
    ("GET /v1/classes HTTP/9.9", (), "bad_request"),
]


@pytest.mark.parametrize(("start", "headers", "code"), TOO_LONG, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("origin", [f"Origin: {ORIGIN}", f"origin:{ORIGIN}"])
async def test_a_page_reads_why_its_request_was_none(
    web_api: Api, start: str, headers: tuple[str, ...], code: str, origin: str
) -> None:
    for lines in ((*headers, origin), (origin, *headers)):
        reply = await asked(web_api.url, start, *lines)
        assert reply.code == code
        assert reply.headers["access-control-allow-origin"] == ORIGIN
        assert (reply.headers["vary"], reply.headers["server"]) == ("Origin", "heroledger")
        assert reply.headers["x-request-id"] == json.loads(reply.body)["request_id"]
    for foreign in ("Origin: https://evil.example", f"Origin: {ORIGIN}\r\nOrigin: null", "Accept: */*"):
        reply = await asked(web_api.url, start, *headers, foreign)
        assert "access-control-allow-origin" not in reply.headers or "null" in foreign, foreign
        assert reply.headers["server"] == "heroledger"


async def test_two_origins_are_refused_and_so_is_a_host_that_is_none(web_api: Api) -> None:
    key = f"Sec-WebSocket-Key: {KEY}"
    upgrade = (*(f"{name}: {value}" for name, value in UPGRADE.items()), key)
    for path, more in (("/v1/classes", ()), ("/v1/socket", upgrade)):
        twice = (f"Origin: {ORIGIN}", "Origin: https://evil.example")
        reply = await asked(web_api.url, f"GET {path} HTTP/1.1", *twice, *more)
        assert (reply.status, reply.code) == (400, "bad_request"), path
    for host in (b"a b", b"a/b", b"\xff", b"a:b", b"a:1:2", b"[::1", b"a@b", b"a?b", b"a\tb"):
        raw = await raw_answer(web_api.url, b"GET /v1/classes HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert (reply_of(raw).status, reply_of(raw).code) == (400, "bad_request"), host
    for host in (b"", b"a", b"a:", b"a.b-c_d:80", b"127.0.0.1:1", b"[::1]:8080", b"xn--a.example"):
        raw = await raw_answer(
            web_api.url, b"GET /v1/classes HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n\r\n"
        )
        assert reply_of(raw).status == 200, host


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


LARGE = ("Content-Type: application/json", "Content-Length: 17000000")


@pytest.mark.parametrize("expected", [(), ("Expect: 100-continue",)])
async def test_a_body_that_says_it_is_too_large_is_not_waited_for(api: Api, expected: tuple[str, ...]) -> None:
    who = await api.sign_up()
    token = f"Authorization: Bearer {who.token}"
    for start, code in (
        ("POST /v1/players", "too_large"),
        ("POST /v1/players/me/actions", "too_large"),
        ("DELETE /v1/players/me", "too_large"),
    ):
        async with connected(api.url) as (reader, writer):
            lines = (f"{start} HTTP/1.1", "Host: x", token, *LARGE, *expected)
            writer.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)
            reply = reply_of(head + await reader.readexactly(int(reply_of(head).headers["content-length"])))
        assert (reply.code, reply.headers["connection"]) == (code, "close"), start


async def test_a_body_is_asked_for_where_it_is_read(api: Api) -> None:
    who = await api.sign_up()
    body = b'{"action": "hunt", "args": {"foe": "slime"}}'
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-Continue")
    start = ("POST /v1/players/me/actions HTTP/1.1", "Host: x", *lines)
    async with connected(api.url) as (reader, writer):
        head = (*start, f"Authorization: Bearer {who.token}")
        writer.write("".join(f"{line}\r\n" for line in head).encode() + b"\r\n")
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)).startswith(b"HTTP/1.1 200 OK\r\n")
    async with connected(api.url) as (reader, writer):
        writer.write("".join(f"{line}\r\n" for line in start).encode() + b"\r\n")
        refused = reply_of(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3))
    assert (refused.status, refused.headers["connection"]) == (401, "close"), "no 100 before a refusal"


WITHOUT_BODY = [route for route in ROUTES if route.terms.body is None and route.reads_body]
PARTS = {"{board}": "exp", "{mail_id}": "01a21305-5d9e-818a-bdbd-4727c3c611bc", "{device}": "0" * 16}


def target(path: str, other: Signed) -> str:
    for part, value in {**PARTS, "{id}": other.id}.items():
        path = path.replace(part, value)
    path = re.sub("{[a-z_]+}", "x", path)
    return path + (f"?ids={other.id}" if path in ("/v1/players", "/v1/boards/exp/ranks") else "")


async def test_a_body_where_none_is_taken_may_say_nothing(api: Api) -> None:
    who, other = await api.sign_up(), await api.sign_up()
    async with unchanged(api, who):
        for route in WITHOUT_BODY:
            path, token = target(route.path, other), ADMIN_KEY if route.key == "admin" else who.token
            for data, code in (
                (b'{"x":1}', "bad_input"),
                (b"[]", "bad_json"),
                (b"junk", "bad_json"),
                (b'{"x":"' + b"x" * 17_000 + b'"}', "too_large"),
            ):
                answer = await api.ask(route.method, path, token=token, data=data)
                assert_problem(answer, code, (route.method, path))
                if code == "bad_input":
                    assert fields_of(answer.body) == ["x"]
            plain = await api.ask(route.method, path, token=token, data=b"{}", Content_Type="text/plain")
            assert_problem(plain, "unsupported_media_type", path)
    path = f"/v1/players/me/friends/{other.id}"
    for method in ("PUT", "DELETE"):
        for nothing in (b"{}", b" { } ", b""):
            assert (await api.ask(method, path, token=who.token, data=nothing)).status == 204
        assert (await api.ask(method, path, token=who.token, data=chunks())).status == 204
    assert (await api.ask("GET", "/v1/players/me", token=who.token, data=b"{}")).status == 200


async def chunks() -> AsyncIterator[bytes]:
    """An empty object, in two pieces."""
    for part in (b"{", b"}"):
        yield part
