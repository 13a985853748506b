"""What load balancers and monitoring ask a node: whether it lives, whether it is ready, its metrics."""

from aiohttp import web
from prometheus_client import generate_latest

from gameserver.rules.errors import NotFound, Unavailable
from gameserver.telemetry import CurrentFigures
from gameserver.transport.http.replies import json_response
from gameserver.transport.keys import READINESS


async def live(_: web.Request) -> web.Response:
    return json_response({"live": True})


async def ready(request: web.Request) -> web.Response:
    """200 while the node takes new work; raises Unavailable before that and while draining.

    `databases` says which ones can't be used, and why, if any. The node stays ready: it serves the others' players.
    `primaries` has which of its addresses, from 1, is the primary of a database that has several.

    With `?leaving=404` it raises NotFound instead: by that HAProxy (`disable-on-404`) tells a node that is leaving,
    and closes its sockets by itself, from one that is lost. With `?deployment=show` it says whose node it is, as far as
    it knows: by that `nodes add` tells one of another deployment.
    """
    if not request.app[READINESS].ready:
        if request.query.get("leaving") == "404":
            raise NotFound("This node is leaving.")
        raise Unavailable("This node takes no new work at the moment.", retry_after=1)
    readiness = request.app[READINESS]
    told: dict[str, object] = {"databases": dict(readiness.problems()), "primaries": dict(readiness.primaries())}
    if request.query.get("deployment") == "show":
        told["deployment"] = readiness.deployment()
    return json_response({"ready": True, **{name: value for name, value in told.items() if value}})


async def metrics(request: web.Request) -> web.Response:
    current = CurrentFigures(request.app[READINESS].left())
    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    return web.Response(body=generate_latest(current), headers=headers)
