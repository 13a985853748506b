"""HTTP as a bot speaks it: every request has a deadline, and ends in an Answer or in LostError."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from bots.wire import wire

CONNECT_SECONDS = 3.0


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open the pool that HTTP and sockets share; unbounded, since each bot asks one thing at a time."""
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def send(
    session: aiohttp.ClientSession,
    url: str,
    request: wire.Request,
    headers: Mapping[str, str],
    seconds: float,
) -> wire.Answer:
    """Send one request to the node at `url` and read its answer; raises LostError if none came in time."""
    timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))
    data = None if request.body is None else orjson.dumps(request.body)
    try:
        async with session.request(
            request.method, url + request.path, data=data, headers=_headers(request, headers), timeout=timeout
        ) as response:
            return _answer(response.status, await response.read(), response.headers)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise wire.lost("cannot_connect", arrived=False) from error
    except TimeoutError as error:
        raise wire.lost("timeout", arrived=True) from error
    except (aiohttp.ClientError, OSError) as error:
        raise wire.lost("disconnected", arrived=True) from error


def _headers(request: wire.Request, headers: Mapping[str, str]) -> dict[str, str]:
    made = dict(headers)
    if request.body is not None:
        made["Content-Type"] = "application/json"
    if request.key is not None:
        made["Idempotency-Key"] = request.key
    return made


def _answer(status: int, data: bytes, headers: Mapping[str, str]) -> wire.Answer:
    body = _json(data)
    if status < 400:
        return wire.Answer(wire.Kind.OK, body=body)
    return wire.refusal(body, status, _seconds(headers.get("Retry-After")))


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


async def pause(seconds: float, stop: asyncio.Event) -> bool:
    """Wait for `seconds` or until `stop` is set; returns whether it is set."""
    if seconds > 0 and not stop.is_set():
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return False
    return stop.is_set()
