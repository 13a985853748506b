"""Which web pages may use the server from a browser: cross-origin requests (the Fetch standard's CORS) and sockets.

Law: one list decides for HTTP and for sockets. Answers never allow credentials, since tokens are sent in a header and
not by the browser itself. A page that isn't on the list reads no answer, and its browser sends no request that needs a
preflight; what it can send without one is refused by its type (`inputs.body` takes nothing but JSON).
"""

import re
from collections.abc import MutableMapping, Sequence
from urllib.parse import urlsplit

from aiohttp import web

from gameserver.config.origins import (
    EXPOSED_HEADERS,
    METHODS,
    PREFLIGHT_SECONDS,
    REQUEST_HEADERS,
    expression,
)


class Origins:
    """The origins of `[node] origins`."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._all = "*" in patterns
        self._expression = re.compile("|".join(expression(entry) for entry in patterns if entry != "*") or r"\A\Z(?!)")

    def allow(self, origin: str) -> bool:
        return self._all or self._expression.fullmatch(origin) is not None

    def mark(self, origin: str, headers: MutableMapping[str, str]) -> None:
        """Lets a page of this origin read the answer that has these headers, if it is on the list."""
        if not self._all:
            headers["Vary"] = f"{headers['Vary']}, Origin" if "Vary" in headers else "Origin"
        if self.allow(origin):
            headers["Access-Control-Allow-Origin"] = "*" if self._all else origin
            headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS


def is_preflight(request: web.Request) -> bool:
    """Whether a browser asks if a page may send a request."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def preflight_answer() -> web.Response:
    """What all pages on the list may send."""
    headers = {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }
    return web.Response(status=204, headers=headers)


def is_own(request: web.Request, origin: str) -> bool:
    """Whether the page comes from this server's own address."""
    try:
        return urlsplit(origin).netloc == request.host
    except ValueError:
        return False


ORIGINS = web.AppKey("origins", Origins)
