"""Answers that may be longer than memory: rows as CSV or JSON lines, written as the client takes them.

Law: what waits for a client that reads slowly is one part; a client that doesn't take one within WRITE_SECONDS is cut.
The head is sent with the first part: an error before that is answered as one. After it the connection is closed
without the end of its chunks, so that nobody takes a half for the whole.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from aiohttp import hdrs, web

from gameserver.exports import CONTENT_TYPES, Format, heading
from gameserver.rules.errors import GameError
from gameserver.waiting import next_part

T = TypeVar("T")
log = structlog.get_logger()
WRITE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Sheet(Generic[T]):
    """How the rows of an answer are written, and what its file is called."""

    names: Sequence[str]
    text: Callable[[Sequence[T]], bytes]
    kind: Format
    file: str


async def stream(request: web.Request, parts: AsyncGenerator[Sequence[T], None], sheet: Sheet[T]) -> web.StreamResponse:
    """Sends the rows of all parts as a download, and closes them. Raises what the first part raises."""
    async with contextlib.aclosing(parts):
        first = await next_part(parts)
        response = _response(sheet)
        await response.prepare(request)
        try:
            if request.method != hdrs.METH_HEAD:
                await _write(response, heading(sheet.names, sheet.kind) + sheet.text(first))
                async for part in parts:
                    await _write(response, sheet.text(part))
            await response.write_eof()
        except (GameError, TimeoutError, ConnectionError) as error:
            log.warning("a file breaks off", file=sheet.file, error=f"{type(error).__name__}: {error}")
            _cut(request)
        except BaseException:
            _cut(request)
            raise
        return response


async def first_of(parts: AsyncGenerator[Any, None]) -> None:
    """Raises what keeps a file from its first part, which nobody gets."""
    async with contextlib.aclosing(parts):
        await next_part(parts)


def _cut(request: web.Request) -> None:
    """Ends the connection without the end of the answer."""
    if request.transport is not None:
        request.transport.abort()


def _response(sheet: Sheet[Any]) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type, response.charset = CONTENT_TYPES[sheet.kind], "utf-8"
    response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{sheet.file}.{sheet.kind}"'
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(data)
