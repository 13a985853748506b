"""What is done around every HTTP request: its id, its metrics, and errors in one form.

Law: no answer is stored by browsers or proxies unless its handler says so; most are about one player, some have tokens.
"""

import math
import re
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache

import structlog
from aiohttp import hdrs, web

from gameserver import telemetry
from gameserver.code_labels import CODES
from gameserver.garbage import without_frames
from gameserver.rules.errors import Forbidden, GameError, Internal, NotFound, RateLimited
from gameserver.transport import answers
from gameserver.transport.callers import callers
from gameserver.transport.callers.headers import single_header
from gameserver.transport.callers.origins import ORIGINS, is_preflight, preflight_answer
from gameserver.transport.http import marks
from gameserver.transport.keys import READINESS
from gameserver.transport.wire import (
    LARGEST_BODY,
    SOCKET_VERSION,
    BadJson,
    BadRequest,
    MethodNotAllowed,
    TooLarge,
    WrongSocketVersion,
)

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HOST = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=%-]*|\[[A-Za-z0-9.:_%-]+\])(:[0-9]*)?")
SLOW_SECONDS = 1.0
CLIENT_GONE = 499
"""The status by which such requests are counted, as nginx does; it is never sent."""


@web.middleware
async def wrap_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives the request an id, which its answer and its log lines carry, answers errors in one form, and counts it.

    All in one coroutine: each further one around a handler costs time at every await of every request.
    """
    headers = request.headers
    marks.begin(headers)
    readiness = request.app[READINESS]
    started = time.perf_counter()
    readiness.in_flight += 1
    try:
        if (turn := callers.admit(request)) is not None:  # before anything else is answered, or it costs nothing
            await turn
        _require_servable(request)
        response = _answer_preflight(request) if is_preflight(request) else await handler(request)
    except Exception as error:
        response = _error_response(request, error)
        without_frames(error)
    finally:
        readiness.in_flight -= 1
    resource = request.match_info.route.resource
    route, method = (resource.canonical, request.method) if resource is not None else ("none", "any")
    telemetry.request_answered(route, method, response.status).inc()
    if not response.prepared:  # neither a socket nor a file, which take as long as their clients like
        seconds = time.perf_counter() - started
        telemetry.REQUEST_SECONDS.of(route, method).observe(seconds)
        marks.mark(request.app, response, headers.get(hdrs.ORIGIN))
        if not readiness.ready or _has_unwanted_body(request, response):
            response.force_close()
        if seconds > SLOW_SECONDS:
            log.warning("slow request", route=route, method=method, seconds=round(seconds, 3))
    return response


def _has_unwanted_body(request: web.Request, response: web.StreamResponse) -> bool:
    """Whether a body may still come that nobody reads: too large, or kept until the client would be asked for it."""
    return not request.content.is_eof() and (
        response.status == web.HTTPRequestEntityTooLarge.status_code or hdrs.EXPECT in request.headers
    )


def _require_servable(request: web.Request) -> None:
    """Raises NotFound for an operators' path on a players' listener; BadRequest for headers that can't be meant."""
    if request.path.startswith(callers.OPERATORS_PATHS) and not getattr(request.protocol, "for_operators", False):
        raise NotFound("There is nothing at this path.")
    if (coding := request.headers.get(hdrs.TRANSFER_ENCODING)) is not None and coding.lower() != "chunked":
        raise BadRequest("The only transfer coding that this server takes is `chunked`.")
    if not _is_host(request.headers.get(hdrs.HOST, "")):
        raise BadRequest("The header Host must be a name or an address, and may have a port.")
    if hdrs.ORIGIN in request.headers:
        single_header(request, hdrs.ORIGIN)


@lru_cache(maxsize=1024)
def _is_host(text: str) -> bool:
    """Whether it is a host as RFC 3986 writes it, or empty; remembered, since every request asks."""
    return _HOST.fullmatch(text) is not None


def _answer_preflight(request: web.Request) -> web.Response:
    origin = request.headers.get("Origin", "")
    if not request.app[ORIGINS].allow(origin):
        raise Forbidden("Pages of this origin may not use this server: it isn't in `[node] origins`.")
    return preflight_answer()


def _error_response(request: web.Request, error: Exception) -> web.Response:
    """An error as application/problem+json; an unexpected one is logged and answered as `internal`."""
    match error:
        case BadRequest():  # where the request ends, and the next one begins, can't be told for certain
            response = problem_response(error)
            response.force_close()
            return response
        case GameError():
            if isinstance(error, RateLimited):
                callers.note_denial(request)
            return problem_response(error)
        case web.HTTPException(status=status) if status < 400:
            raise error
        case web.HTTPException():
            return problem_response(_game_error_of(error), allow=error.headers.get("Allow"))
        case web.RequestPayloadError():
            response = problem_response(BadJson("The body breaks off, or its chunks can't be told apart."))
            response.force_close()
            return response
        case ConnectionResetError():  # the client has gone, in the middle of an upgrade for instance: nobody hears this
            return web.Response(status=CLIENT_GONE)
    log.error("a request failed", path=request.path, method=request.method, exc_info=error)
    return problem_response(Internal("Something went wrong on the server; its log has more under the request id."))


def problem_response(error: GameError, allow: str | None = None) -> web.Response:
    """The answer to a request that failed."""
    telemetry.refused(CODES.of(error.code)).inc()
    problem = answers.problem(error, telemetry.request_id.get())
    response = web.Response(
        body=answers.encode_whatever(problem), status=problem["status"], content_type="application/problem+json"
    )
    response.headers["Cache-Control"] = "no-store"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    if problem["status"] == web.HTTPUnauthorized.status_code:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, WrongSocketVersion):
        response.headers.update(
            {hdrs.UPGRADE: "websocket", hdrs.CONNECTION: "Upgrade", hdrs.SEC_WEBSOCKET_VERSION: SOCKET_VERSION}
        )
    if allow is not None:
        response.headers["Allow"] = allow
    return response


def _game_error_of(error: web.HTTPException) -> GameError:
    match error.status:
        case 404:
            return NotFound("There is nothing at this path.")
        case 405:
            return MethodNotAllowed("This path doesn't take this method.")
        case 413:
            return TooLarge(f"A body may have at most {LARGEST_BODY} bytes.")
        case _:
            return BadJson(error.reason)
