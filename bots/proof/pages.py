"""Reads single resources and paged lists for the proof; one that can't be read makes the run count as not proved."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote

from bots.wire import requests
from bots.wire.channel import Channel
from bots.wire.player_client import Reply
from bots.wire.requests import Request

BANNED = "banned"
DENIED = frozenset({"wrong_credentials", "not_authenticated", "session_revoked", "player_not_found"})
"""What a player is answered that doesn't exist any more: its sessions have ended, and nobody signs in as it."""


class Asker(Protocol):
    """Who carries a request to the server: a client of a player or an operator, or a recorded history."""

    async def send(self, request: Request, channel: Channel) -> Reply:
        """Return how the request ended."""


class NotProvedError(Exception):
    """The proof could not be carried out; the text says why."""


class BannedPlayerError(NotProvedError):
    """The player whose session reads has been banned, so nothing of it can be read."""


class DeniedPlayerError(NotProvedError):
    """The player can't sign in any more, so nothing of it can be read."""


async def get(client: Asker, path: str) -> Mapping[str, Any]:
    """Read one resource; raises NotProvedError, BannedPlayerError, DeniedPlayerError."""
    reply = await client.send(requests.get("proof", path), Channel.HTTP)
    code = "" if reply.answer is None else reply.answer.code
    if code == BANNED:
        raise BannedPlayerError(f"GET {path}: the player is banned")
    if code in DENIED:
        raise DeniedPlayerError(f"GET {path} was answered with {code}")
    return reply.require(f"GET {path}", NotProvedError)


async def read_pages(client: Asker, path: str) -> list[Any]:
    """Read all entries of a paged list, whose path has a query already; raises NotProvedError."""
    entries: list[Any] = []
    cursors: set[str] = set()
    cursor = ""
    while True:
        body = await get(client, f"{path}&cursor={quote(cursor, safe='')}" if cursor else path)
        if not isinstance(body.get("entries"), list):
            raise NotProvedError(f"GET {path} returned no entries: {body!r:.200}")
        entries += body["entries"]
        cursor = body.get("next_cursor") or ""
        if not cursor:
            return entries
        if cursor in cursors:
            raise NotProvedError(f"GET {path} returned the cursor {cursor} twice: its pages form a circle")
        cursors.add(cursor)


def moment(text: str) -> datetime:
    """Read a time; raises NotProvedError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotProvedError(f"{text!r:.80} isn't a time: {error}") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
