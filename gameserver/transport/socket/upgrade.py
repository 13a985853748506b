"""Whether a request may become a WebSocket (RFC 6455, 4.2.1): each wrong header is named.

Law: version 13 alone is taken. The drafts before it name the page's origin in another header, which nobody would check.
"""

import re

from aiohttp import hdrs, web

from gameserver.rules.errors import BadInput, FieldProblem, Forbidden
from gameserver.transport.callers import origins
from gameserver.transport.callers.headers import single_header
from gameserver.transport.callers.origins import ORIGINS
from gameserver.transport.wire import SOCKET_VERSION, WrongSocketVersion

_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")


def check_origin(request: web.Request) -> None:
    """Raises Forbidden for a browser's page of another site, unless the configuration allows its origin."""
    origin = single_header(request, hdrs.ORIGIN)
    if origin is None or request.app[ORIGINS].allow(origin) or origins.is_own(request, origin):
        return
    raise Forbidden("This origin may not open a socket: it isn't in `[node] origins`.")


def check_upgrade(request: web.Request, websocket: web.WebSocketResponse) -> None:
    """Raises BadInput, WrongSocketVersion, BadRequest."""
    if request.method != hdrs.METH_GET or request.headers.get(hdrs.UPGRADE, "").lower().strip() != "websocket":
        raise _refusal(hdrs.UPGRADE, "must be websocket")
    if single_header(request, hdrs.SEC_WEBSOCKET_VERSION) != SOCKET_VERSION:
        problem = FieldProblem(hdrs.SEC_WEBSOCKET_VERSION, f"must be {SOCKET_VERSION}")
        raise WrongSocketVersion(errors=[problem])
    if not _KEY.fullmatch(single_header(request, hdrs.SEC_WEBSOCKET_KEY) or ""):
        raise _refusal(hdrs.SEC_WEBSOCKET_KEY, "must be 16 random bytes in base64")
    if not websocket.can_prepare(request):
        raise _refusal(hdrs.CONNECTION, "must be Upgrade")


def _refusal(header: str, problem: str) -> BadInput:
    return BadInput("This path speaks WebSocket.", errors=[FieldProblem(header, problem)])
