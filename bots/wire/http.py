"""HTTP as a bot speaks it: every request has a deadline, and ends in an Answer or in LostError."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import aiohttp
import orjson

from bots.wire import answers
from bots.wire.answers import Answer, AnswerKind
from bots.wire.requests import Request

CONNECT_SECONDS = 3.0
NAMED = re.compile(r"heroledger \(([\w.-]{1,64})\)", re.ASCII)


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open the connection pool of HTTP and sockets; it has no bound, since each bot sends one request at a time."""
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def send(
    session: aiohttp.ClientSession,
    url: str,
    request: Request,
    headers: Mapping[str, str],
    seconds: float,
    connect_seconds: float = CONNECT_SECONDS,
) -> Answer:
    """Send one request to the node at `url` and read its answer; raises LostError if none came in time."""
    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(connect_seconds, seconds))
    data = None if request.body is None else orjson.dumps(request.body)
    try:
        async with session.request(
            request.method, url + request.path, data=data, headers=_headers(request, headers), timeout=timeout
        ) as response:
            return _answer(response.status, await response.read(), response.headers)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise answers.lost("cannot_connect", arrived=False) from error
    except TimeoutError as error:
        raise answers.lost("timeout", arrived=True) from error
    except (aiohttp.ClientError, OSError) as error:
        raise answers.lost("disconnected", arrived=True) from error


def _headers(request: Request, headers: Mapping[str, str]) -> dict[str, str]:
    all_headers = dict(headers)
    if request.body is not None:
        all_headers["Content-Type"] = "application/json"
    if request.key is not None:
        all_headers["Idempotency-Key"] = request.key
    if request.token is not None:
        all_headers["Consistency-Token"] = request.token
    return all_headers


def _answer(status: int, data: bytes, headers: Mapping[str, str]) -> Answer:
    body, node = _json(data), node_of(headers.get("Server", ""))
    if status < 400:
        return Answer(AnswerKind.OK, body=body, node=node)
    return answers.refusal(body, status, _seconds(headers.get("Retry-After")), node)


@lru_cache(maxsize=1024)
def node_of(server: str) -> str:
    """Return the node that a header `Server` names, as in `heroledger (node-1)`; empty if it names none."""
    named = NAMED.fullmatch(server)
    return "" if named is None else named[1]


def _json(data: bytes) -> Mapping[str, Any]:
    """Read a JSON object; a proxy's error page, or any other value, counts as an empty one."""
    try:
        value = orjson.loads(data) if data else {}
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None
