"""What isn't HTTP as it should be, and connections that take their time: raw bytes, and the wire's form of errors."""

import asyncio
import contextlib
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from gameserver.transport.http import connections
from gameserver.waiting import cancel_and_wait
from tests.support.client import Api

Reply = tuple[int, dict[str, str], Any]


async def exchange(url: str, sent: bytes, half_close: bool = False) -> list[Reply]:
    """All answers to these bytes, until the server closes or is silent."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        if half_close:
            writer.write_eof()
        replies = []
        while (reply := await next_reply(reader)) is not None:
            replies.append(reply)
        return replies
    finally:
        writer.close()


async def is_closed_after(url: str, sent: bytes) -> bool:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    await next_reply(reader)
    try:
        return await asyncio.wait_for(ended(reader), 5)
    finally:
        writer.close()


async def next_reply(reader: asyncio.StreamReader) -> Reply | None:
    try:
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)).decode()
    except (asyncio.IncompleteReadError, TimeoutError):
        return None
    status, *lines = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(status.split()[1]), headers, json.loads(body) if body else None


BAD = [
    (b"GET /v1/boards/" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
    (b"GET /v1/classes?" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
    (b"GET /v1/classes HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
    (b"GET /v1/classes HTTP/1.1\r\nHost: x\r\n" + b"x" * 9000 + b": 1\r\n\r\n", 431, "headers_too_large"),
    (b"GET /v1/classes HTTP/1.1\r\nHost: x\r\n" + b"X-A: 1\r\n" * 200 + b"\r\n", 431, "headers_too_large"),
    (b"GET /v1/classes HTTP/1.1\r\nHost: x\r\nExpect: foo\r\n\r\n", 417, "expectation_failed"),
    (b"GET /nope HTTP/1.1\r\nHost: x\r\nExpect: foo\r\n\r\n", 417, "expectation_failed"),
    (b"GET /v1/classes HTTP/1.1\r\n\r\n", 400, "bad_request"),
    (b"GET /v1/classes HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "bad_request"),
    (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "bad_request"),
    (b"GET /v1/classes HTTP/9.9\r\nHost: x\r\n\r\n", 400, "bad_request"),
    (b"POST /v1/players HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "bad_request"),
    *(
        (
            b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: "
            + coding
            + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            400,
            "bad_request",
        )
        for coding in (b"gzip, chunked", b"identity, chunked", b"x\r\nTransfer-Encoding: chunked", b"chunked, chunked")
    ),
]


@pytest.mark.parametrize(("sent", "status", "code"), BAD, ids=lambda value: str(value)[:40])
async def test_what_is_not_http_gets_the_wires_form_of_errors_and_ends_the_connection(
    api: Api, sent: bytes, status: int, code: str
) -> None:
    ((given, headers, body), *more) = await exchange(api.url, sent)
    assert (given, body["status"], body["code"]) == (status, status, code), body
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == body["request_id"]
    assert body["detail"].endswith(".")
    assert not more
    assert await is_closed_after(api.url, sent)


async def test_a_client_that_shuts_its_sending_side_gets_every_answer(api: Api) -> None:
    get = b"GET /v1/classes HTTP/1.1\r\nHost: x\r\n\r\n"
    for count in (1, 3, 30):
        replies = await exchange(api.url, get * count, half_close=True)
        assert [status for status, _, _ in replies] == [200] * count
    body = b'{"name": "Half Closed", "class": "mage", "device": "9daab80fba067ea4ff33ba022cc7fc15"}'
    head = b"POST /v1/players HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    ((status, headers, _),) = await exchange(api.url, head % len(body) + body, half_close=True)
    assert (status, headers["connection"]) == (201, "close")


@pytest.mark.parametrize("sent", [b"", b"GET /v1/cl", b"GET /v1/classes HTTP/1.1\r\nHost: x\r\nX-A: "])
@pytest.mark.parametrize("before", [b"", b"GET /v1/classes HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_head_that_doesnt_arrive_is_waited_for_no_longer_than_allowed(
    api: Api, monkeypatch: pytest.MonkeyPatch, sent: bytes, before: bytes
) -> None:
    assert connections.HEAD_SECONDS == 10
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    if before:
        writer.write(before)
        assert await next_reply(reader) is not None
    if before and not sent:
        await asyncio.sleep(1)
        writer.write(before)
        assert await next_reply(reader) is not None, "an idle connection that has been useful stays open"
        writer.close()
        return
    started = asyncio.get_running_loop().time()
    writer.write(sent)
    dripping = asyncio.create_task(drip(writer)) if sent else None
    assert await asyncio.wait_for(ended(reader), 8)
    assert asyncio.get_running_loop().time() - started < 8, "not only by the ordinary deadline"
    if dripping is not None:
        await cancel_and_wait([dripping])
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.05)


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


SECRET = b"250333707275098127.a-secret-of-a-player"
WITH_SECRET = (
    b'\x81\xb0\x00\x00\x00\x00{"id": 1, "op": "hello", "token": "' + SECRET + b'"}\r\n\r\n',
    b"GET /v1/players/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + SECRET + b"\x01\r\n\r\n",
    b"GET /v1/players/me HTTP/1.1\r\nHost: a\r\nAuthorization : " + SECRET + b"\r\n\r\n",
    b"GET /" + SECRET + b" \x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + SECRET + b"x" * 20_000 + b"\r\n\r\n",
    b"POST /v1/players HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + SECRET + b"\r\n",
)
"""What a client sends that goes on after its upgrade was refused, or that has a slip in a header."""


@pytest.mark.own_node
@pytest.mark.parametrize("sent", WITH_SECRET)
async def test_of_what_isnt_http_nothing_is_logged_but_the_kind_of_its_fault(api: Api, sent: bytes) -> None:
    with capture_logs() as lines:
        (reply,) = await exchange(api.url, sent, half_close=True)
    assert reply[0] in (400, 431)
    assert [line["event"] for line in lines if line["log_level"] != "info"] == ["malformed request"]
    assert SECRET.decode() not in repr(lines)
