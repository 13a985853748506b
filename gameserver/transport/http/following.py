"""Traces requests over HTTP; only nodes that trace have it around theirs."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import istr

from gameserver.tracing.tracer import Tracer

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]
TRACEPARENT = istr("traceparent")
UNTRACED = frozenset({"/live", "/ready", "/metrics", "/v1/socket"})
"""What monitors ask all the time, and sockets, whose frames are traced instead."""
NOWHERE = "none"


def tracing_with(tracer: Tracer) -> Middleware:
    """A middleware that goes around the others."""

    @web.middleware
    async def follow(request: web.Request, handler: Answering) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = NOWHERE if resource is None else resource.canonical
        if route in UNTRACED or (span := tracer.request(request.headers.get(TRACEPARENT))) is None:
            return await handler(request)
        method = NOWHERE if resource is None else request.method
        attributes: dict[str, str | int] = {"http.request.method": method, "http.route": route}
        failed = "cancelled"
        try:
            response = await handler(request)
            attributes["http.response.status_code"] = response.status
            failed = str(response.status) if response.status >= 500 else ""
            return response
        finally:
            span.end(f"{method} {route}", attributes, failed)

    return follow
