"""Web origins in the settings: `*`, an origin as browsers send it, or all subdomains of one (`https://*.itch.zone`).

Nodes and HAProxy give their pages the same leave (the Fetch standard's CORS).
"""

import re
from typing import Annotated

from pydantic import AfterValidator

_HOST = r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]"
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://(?:{_HOST})(?P<port>:[1-9][0-9]{{0,4}})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
SUBDOMAINS = "*."
METHODS = "GET, HEAD, POST, PUT, DELETE"
REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, Consistency-Token, If-None-Match, X-Request-Id, traceparent"
)
EXPOSED_HEADERS = "X-Request-Id, Consistency-Token, Retry-After, ETag, WWW-Authenticate, Allow"
PREFLIGHT_SECONDS = 7200
"""How long a browser remembers the answer to a preflight: as long as any does."""


def _checked(text: str) -> str:
    """The text as it is; what no browser sends would never match, and is refused."""
    if text == "*":
        return text
    match = _ORIGIN.fullmatch(text)
    if match is None:
        raise ValueError(
            "an origin is `scheme://host` or `scheme://host:port` in lower case, without a path or a slash at its end; "
            "`https://*.host` means all its subdomains, and `*` every origin"
        )
    if match["port"] == _DEFAULT_PORTS.get(text.partition("://")[0]):
        raise ValueError(f"browsers leave out {match['port']}, the default port, so it would never match")
    if match["port"] and int(match["port"][1:]) > 65_535:
        raise ValueError("there is no such port")
    return text


OriginPattern = Annotated[str, AfterValidator(_checked)]


def expression(pattern: str) -> str:
    """A regular expression (RE2, PCRE and Python alike) that matches the origins of this pattern, other than `*`."""
    escaped = re.sub(r"([.+\[\]])", r"\\\1", pattern.replace(SUBDOMAINS, "\0"))
    return f"^{escaped}$".replace("\0", r"([a-z0-9_-]+\.)+")
