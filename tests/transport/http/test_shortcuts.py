"""The short way answers as aiohttp's own way does, whichever of the two a request takes."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from gameserver.transport.http.shortcuts import with_shortcuts

END = b"Connection: close\r\n\r\n"
REQUESTS = {
    "a fixed path": b"GET /fixed HTTP/1.1\r\nHost: a\r\n" + END,
    "with a query": b"GET /fixed?a=1 HTTP/1.1\r\nHost: a\r\n" + END,
    "without a body": b"HEAD /fixed HTTP/1.1\r\nHost: a\r\n" + END,
    "escaped": b"GET /fi%78ed HTTP/1.1\r\nHost: a\r\n" + END,
    "an escaped slash": b"GET /fixed%2F HTTP/1.1\r\nHost: a\r\n" + END,
    "a path beside one with a variable": b"GET /things/me HTTP/1.1\r\nHost: a\r\n" + END,
    "a variable": b"GET /things/7 HTTP/1.1\r\nHost: a\r\n" + END,
    "no path": b"GET /nothing HTTP/1.1\r\nHost: a\r\n" + END,
    "another method": b"PUT /fixed HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" + END,
    "what raises": b"GET /raising HTTP/1.1\r\nHost: a\r\n" + END,
    "what expects": b"POST /fixed HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" + END + b"{}",
    "what expects else": b"POST /fixed HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 2\r\n" + END + b"{}",
}


async def tell(request: web.Request) -> web.Response:
    """What a handler sees of the request."""
    info, body = request.match_info, await request.read()
    seen = (dict(info), info.route.resource and info.route.resource.canonical, request.method, request.query_string)
    return web.Response(text=f"{seen} {request.app is request.app[APP]} {body!r}")


async def fail(_: web.Request) -> web.Response:
    raise web.HTTPConflict(text="no")


@web.middleware
async def outer(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    response.headers["X-Order"] = response.headers.get("X-Order", "") + "outer"
    return response


@web.middleware
async def inner(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    response.headers["X-Order"] = "inner "
    return response


APP: web.AppKey[web.Application] = web.AppKey("app")


async def exchange(request: bytes, *, short: bool) -> bytes:
    """All that the server answers, without the time."""
    app = web.Application(middlewares=[outer, inner])
    app[APP] = app
    for method, path, handler in (
        ("GET", "/fixed", tell), ("POST", "/fixed", tell), ("GET", "/things/me", tell), ("GET", "/things/{id}", tell),
        ("GET", "/raising", fail),
    ):  # fmt: skip
        app.router.add_route(method, path, handler)
    app.router.add_route("HEAD", "/fixed", tell)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        if short:
            assert isinstance(runner.server, web.Server)
            runner.server.request_handler = with_shortcuts(app, runner.server.request_handler)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(request)
        sent = await reader.read()
        writer.close()
        return b"\r\n".join(line for line in sent.split(b"\r\n") if not line.startswith(b"Date:"))
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
async def test_both_ways_give_the_same_answer(request_: bytes) -> None:
    own = await exchange(request_, short=True)
    assert own == await exchange(request_, short=False)
    assert own.startswith(b"HTTP/1.1 ")


async def test_what_a_fixed_path_is_answered_with_never_passes_through_the_long_way() -> None:
    app = web.Application()
    app.router.add_route("GET", "/fixed", tell)
    app[APP] = app

    async def never(_: web.Request) -> web.StreamResponse:
        raise AssertionError

    runner = web.AppRunner(app)
    await runner.setup()
    assert isinstance(runner.server, web.Server)
    runner.server.request_handler = with_shortcuts(app, never)
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(REQUESTS["a fixed path"])
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
    finally:
        await runner.cleanup()
