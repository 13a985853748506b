"""What every answer carries: the request's id, which node answers and when, and which pages may read it.

Law: one place for all answers. Almost all are marked around the request (`middleware`); those that their handler itself
begins, as sockets and files do, just before their head is written; those of a connection itself, where they are made.
"""

import re
from collections.abc import Mapping

from aiohttp import hdrs, web
from multidict import istr

from gameserver import telemetry
from gameserver.transport.callers.origins import ORIGINS
from gameserver.transport.keys import READINESS

REQUEST_ID = istr("X-Request-Id")
"""An `istr` is found in headers without being folded each time."""
_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_ORIGIN = re.compile(rb"\r?\norigin:[ \t]*+([!-~]*+)[ \t]*+\r?(?=\n)", re.IGNORECASE)


def begin(headers: Mapping[str, str]) -> None:
    """Sets the request's id for its answer and its log lines: the client's, or a new one."""
    given = headers.get(REQUEST_ID)
    known = given is not None and _REQUEST_ID.fullmatch(given)
    telemetry.request_id.set(given if known and given is not None else telemetry.new_request_id())


def mark(app: web.Application, response: web.StreamResponse, origin: str | None) -> None:
    """`origin` is the page's that asks; None if no page does."""
    readiness, headers = app[READINESS], response.headers
    headers[REQUEST_ID] = telemetry.request_id.get()
    headers[hdrs.SERVER] = readiness.node.server
    headers[hdrs.DATE] = readiness.date()
    headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    if origin is not None:
        app[ORIGINS].mark(origin, headers)


async def mark_begun(request: web.Request, response: web.StreamResponse) -> None:
    """Marks an answer that its handler itself begins; the others are marked already."""
    if REQUEST_ID not in response.headers:
        mark(request.app, response, request.headers.get(hdrs.ORIGIN))


def origin_in(data: bytes) -> str | None:
    """The Origin of a request that can't be parsed, if these bytes have one, and no other."""
    found = {match[1] for match in _ORIGIN.finditer(data)}
    return found.pop().decode() if len(found) == 1 else None
