"""Reads what the proof compares, page by page."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bots.wire import wire
from bots.wire.door import Door
from bots.wire.link import Link


class NotProvedError(Exception):
    """The proof could not be carried out; the text says why."""


async def get(link: Link, path: str) -> Mapping[str, Any]:
    """Read one page; raises NotProvedError."""
    reply = await link.ask(wire.Request("proof", "GET", path), Door.HTTP)
    if reply.answer is None:
        raise NotProvedError(f"no answer to GET {path} ({reply.last_code})")
    if reply.answer.kind is not wire.Kind.OK:
        raise NotProvedError(f"GET {path} is answered {reply.answer.code}: {reply.answer.detail}")
    return reply.answer.body


async def read_pages(link: Link, path: str) -> list[Any]:
    """Read all entries of a paged resource; raises NotProvedError."""
    entries: list[Any] = []
    seen: set[str] = set()
    cursor = ""
    while True:
        body = await get(link, f"{path}&cursor={quote(cursor, safe='')}" if cursor else path)
        if not isinstance(body.get("entries"), list):
            raise NotProvedError(f"GET {path} gave no entries: {body!r:.200}")
        entries += body["entries"]
        cursor = body.get("next_cursor") or ""
        if not cursor:
            return entries
        if cursor in seen:
            raise NotProvedError(f"GET {path} gave the cursor {cursor} twice: its pages go round in a circle")
        seen.add(cursor)
