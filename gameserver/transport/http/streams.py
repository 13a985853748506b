"""Answers that may be longer than memory: rows as CSV or JSON lines, written as the client takes them.

Law: what waits for a client that reads slowly is one part; a client that doesn't take one within WRITE_SECONDS is cut.
The head is sent with the first part: an error before that is answered as one. After it the connection is closed
without the end of its chunks, so that nobody takes a half for the whole.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from aiohttp import hdrs, web

from gameserver.exports import CONTENT_TYPES, Format, encoded, heading

WRITE_SECONDS = 20.0


async def stream(
    request: web.Request,
    parts: AsyncIterator[Sequence[Mapping[str, Any]]],
    names: Sequence[str],
    kind: Format,
    file: str,
) -> web.StreamResponse:
    """Sends the rows of all parts as a download of this name. Raises what the first part raises."""
    first = await anext(parts, ())
    response = web.StreamResponse()
    response.content_type, response.charset = CONTENT_TYPES[kind], "utf-8"
    response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{file}.{kind}"'
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    try:
        await _write(response, heading(names, kind) + encoded(first, names, kind))
        async for part in parts:
            await _write(response, encoded(part, names, kind))
        await response.write_eof()
    except BaseException:
        if request.transport is not None:
            request.transport.abort()
        raise
    return response


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(data)
