"""The short way of answering says what aiohttp's own says, also to old and unusual clients."""

import asyncio

import pytest
from aiohttp import web

from gameserver.transport.http.json_answer import json_answer
from gameserver.transport.http.replies import json_response

ANSWER = {"name": "Ann", "level": 3}


def named(response: web.StreamResponse) -> web.StreamResponse:
    """As what is done around every request names the node."""
    response.headers["Server"] = "heroledger (node-1)"
    return response


async def own(_: web.Request) -> web.StreamResponse:
    return named(json_answer(ANSWER, status=201))


async def library(_: web.Request) -> web.StreamResponse:
    return named(json_response(ANSWER, status=201))


async def closing(_: web.Request) -> web.StreamResponse:
    response = json_answer(ANSWER)
    response.force_close()
    return response


async def exchange(requests: bytes) -> bytes:
    """All that a server of these handlers sends until it closes, or is silent."""
    app = web.Application()
    app.add_routes([web.route("*", f"/{handler.__name__}", handler) for handler in (own, library, closing)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(requests)
        sent = b""
        while chunk := await _next(reader):
            sent += chunk
        writer.close()
        return sent
    finally:
        await runner.cleanup()


async def _next(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(65_536), 0.5)
    except TimeoutError:
        return b""


def parts(sent: bytes) -> tuple[set[bytes], bytes]:
    head, _, body = sent.partition(b"\r\n\r\n")
    return {line for line in head.split(b"\r\n") if not line.startswith(b"Date:")}, body


@pytest.mark.family(5)
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST"])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("connection", [b"", b"Connection: keep-alive\r\n", b"Connection: close\r\n"])
async def test_it_says_what_the_library_says(method: bytes, version: bytes, connection: bytes) -> None:
    rest = b" HTTP/" + version + b"\r\nHost: x\r\n" + connection + b"\r\n"
    (own_head, own_body), (head, body) = [
        parts(await exchange(method + path + rest)) for path in (b" /own", b" /library")
    ]
    assert own_head - {b"Connection: close"} == head - {b"Connection: close"}
    assert own_body == body


async def test_answers_to_pipelined_requests_come_one_after_another() -> None:
    request = b"GET /own HTTP/1.1\r\nHost: x\r\n\r\n"
    assert (await exchange(request * 3)).count(b'\r\n\r\n{"name":"Ann","level":3}') == 3


async def test_after_one_that_closes_the_connection_nothing_is_answered() -> None:
    sent = await exchange(b"GET /closing HTTP/1.1\r\nHost: x\r\n\r\nGET /own HTTP/1.1\r\nHost: x\r\n\r\n")
    assert sent.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in sent
