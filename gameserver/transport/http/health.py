"""What operators' tools ask: alive, ready, metrics, and the document of the interface."""

from aiohttp import web
from prometheus_client import generate_latest

from gameserver.rules.errors import NotFound, Unavailable
from gameserver.transport.http.replies import answer
from gameserver.transport.keys import READINESS


async def live(_: web.Request) -> web.Response:
    return answer({"live": True})


async def ready(request: web.Request) -> web.Response:
    """200 while new work is welcome; raises Unavailable before that and while draining.

    With `?leaving=404` it raises NotFound in its place: by that HAProxy (`disable-on-404`) tells a node that leaves,
    whose sockets are its own to close, from one that is lost.
    """
    if not request.app[READINESS].ready:
        if request.query.get("leaving") == "404":
            raise NotFound("This node is leaving.")
        raise Unavailable("This node takes no new work just now.", retry_after=1)
    return answer({"ready": True})


async def metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
