"""JSON responses, large ones compressed, and the empty one.

Law: an answer that holds a token is never compressed: what a client adds to it would show in its length (BREACH).
"""

import gzip
import re
from functools import cached_property

from aiohttp import hdrs, web

from gameserver.transport import answers
from gameserver.transport.http.json_answer import JSON, JsonAnswer

SMALLEST = 1024
"""Bytes from which on a body is worth compressing."""
LEVEL = 1
"""Of gzip: 30 KB of a board become 8 KB in 0.7 ms of a core; level 6 takes twice as long for a tenth less."""
_CODING = re.compile(r"\s*(gzip|x-gzip|\*)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?", re.IGNORECASE)
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


def json_response(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=answers.encode(answer), status=status, content_type=JSON)


def large_json_response(request: web.Request, answer: object) -> JsonAnswer:
    """An answer without tokens that may be long; compressed for a client that takes gzip."""
    body = answers.encode(answer)
    compressed = compress(body) if len(body) >= SMALLEST and takes_gzip(request) else None
    return encoded_response(body, compressed)


class LastingAnswer:
    """An answer that stays the same: encoded and compressed once, for the first request."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def response(self, request: web.Request) -> JsonAnswer:
        """The answer to a request, compressed for a client that takes gzip."""
        body, compressed = self._encoded
        return encoded_response(body, compressed if takes_gzip(request) else None)

    @cached_property
    def _encoded(self) -> tuple[bytes, bytes]:
        body = answers.encode(self._answer)
        return body, compress(body)


def encoded_response(body: bytes, compressed: bytes | None) -> JsonAnswer:
    """JSON that may be compressed; `compressed` is None if it isn't for this client."""
    response = JsonAnswer(body if compressed is None else compressed)
    response.headers[hdrs.VARY] = hdrs.ACCEPT_ENCODING
    if compressed is not None:
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
    return response


def compress(body: bytes) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0)


def takes_gzip(request: web.Request) -> bool:
    """Whether the client's Accept-Encoding has gzip, or anything, and not with a quality of 0."""
    qualities = {}
    for part in ",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, ())).split(","):
        if coding := _CODING.fullmatch(part):
            qualities[coding[1].lower().removeprefix("x-")] = (coding[2] or "1").strip("0.") != ""
    return qualities.get("gzip", qualities.get("*", False))


def is_known(request: web.Request, etag: str) -> bool:
    """Whether the request's If-None-Match names this entity tag, compared weakly as RFC 9110 says: without `W/`."""
    known = ",".join(request.headers.getall("If-None-Match", ()))
    return known.strip() == "*" or etag.removeprefix("W/") in _ENTITY_TAG.findall(known)


def no_content() -> web.Response:
    return web.Response(status=204)
