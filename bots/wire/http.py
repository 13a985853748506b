"""HTTP as a bot speaks it: every request has a deadline, and ends in an Answer or in LostError."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import aiohttp
import orjson
from yarl import URL

from bots.wire import answers
from bots.wire.answers import Answer, AnswerKind
from bots.wire.lanes import HttpLanes, NotConnectedError
from bots.wire.requests import Request

CONNECT_SECONDS = 3.0
READ_HEADERS = re.compile(rb"(?i)\r\n(server|retry-after):[ \t]*([^\r]*)")
NAMED = re.compile(r"heroledger \(([\w.-]{1,64})\)", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpSession:
    """The connections of HTTP: lean ones, and a general client for addresses that these can't read."""

    lanes: HttpLanes
    client: aiohttp.ClientSession


@asynccontextmanager
async def open_session() -> AsyncIterator[HttpSession]:
    """Open the pools of HTTP connections; they have no bound, since each bot sends one request at a time."""
    connector, lanes = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60), HttpLanes()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
        try:
            yield HttpSession(lanes, client)
        finally:
            lanes.close()


async def send(
    session: HttpSession,
    url: str,
    request: Request,
    headers: Mapping[str, str],
    seconds: float,
    connect_seconds: float = CONNECT_SECONDS,
) -> Answer:
    """Send one request to the node at `url` and read its answer; raises LostError if none came in time."""
    if url in session.lanes.odd:
        return await send_generally(session.client, url, request, headers, seconds, connect_seconds)
    try:
        async with asyncio.timeout(seconds):
            answer = await session.lanes.ask(url, _prepared(url, request, headers), min(connect_seconds, seconds))
    except NotConnectedError as error:
        raise answers.lost("cannot_connect", arrived=False) from error
    except TimeoutError as error:
        raise answers.lost("timeout", arrived=True) from error
    except OSError as error:
        raise answers.lost("disconnected", arrived=True) from error
    return _answer(answer.status, answer.body, _named_headers(answer.head))


def _prepared(url: str, request: Request, headers: Mapping[str, str]) -> bytes:
    body = b"" if request.body is None else orjson.dumps(request.body)
    lines = "".join([f"{name}: {value}\r\n" for name, value in _headers(request, headers).items()])
    target, host = _target(url, request.path)
    length = f"Content-Length: {len(body)}\r\n" if request.method != "GET" else ""
    return f"{request.method} {target} HTTP/1.1\r\nHost: {host}\r\n{lines}{length}\r\n".encode() + body


@lru_cache(maxsize=4096)
def _target(url: str, path: str) -> tuple[str, str]:
    """Return what the first line of a request names, and its host."""
    whole = URL(url + path)
    return whole.raw_path_qs, whole.authority


def _named_headers(head: bytes) -> dict[str, str]:
    """Return the headers that `_answer` reads."""
    return {name.decode().title(): value.decode("latin-1") for name, value in READ_HEADERS.findall(head)}


async def send_generally(
    client: aiohttp.ClientSession,
    url: str,
    request: Request,
    headers: Mapping[str, str],
    seconds: float,
    connect_seconds: float,
) -> Answer:
    """The same, by a general client."""
    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(connect_seconds, seconds))
    data = None if request.body is None else orjson.dumps(request.body)
    try:
        async with client.request(
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
