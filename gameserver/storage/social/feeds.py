"""What a player did last: a capped list in Redis, derived from the ledger, for players whose feed is read.

Law: a returned feed is complete up to the player's version. An entry carries the version that it led to, and versions
have no gaps; a list whose newest entry isn't of the present version, or that Redis has lost, is read again from the
ledger. So the list may be behind or lost at any time, and no action waits for it: only feeds that were lately read on
this node are kept up to date, by one pipeline for everything that was done meanwhile. What is read again is the newest
SCANNED commands by their ids, refused ones among them: a feed lacks what lies behind these.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import structlog
from redis.asyncio import Redis
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import FriendsUnavailable
from gameserver.storage import tables
from gameserver.storage.ledger.history import entry_of
from gameserver.storage.ledger.rows import rows_of
from gameserver.storage.players.command import Receipt
from gameserver.storage.redis import clients
from gameserver.storage.redis.coalescing import CoalescedScript
from gameserver.storage.redis.faults import LOST, described, translated
from gameserver.storage.redis.scripts import Script
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.scanned_pages import SCANNED
from gameserver.storage.slots.slot_map import Slots

log = structlog.get_logger()

AWAY = "Feeds can't be reached right now."
LENGTH = 50
LIFETIME_MS = 600_000
WATCHED = 10_000
"""Players whose feeds a node keeps up to date, at the most."""
LONGEST_QUEUE = 5_000
LEDGER = tables.ledger


class FeedReadCall(NamedTuple):
    feed: str
    lifetime_ms: int
    limit: int


class FeedFillCall(NamedTuple):
    feed: str
    lifetime_ms: int
    version: int
    entries: Sequence[bytes]


class FeedAddCall(NamedTuple):
    feed: str
    version: int
    entry: bytes
    length: int


class Feeds:
    """One per node. `run` works until it is cancelled."""

    def __init__(self, redis: Redis, slots: Slots) -> None:
        self._redis, self._slots = redis, slots
        self._read = CoalescedScript(Script(redis, __package__, "feed_read", FeedReadCall))
        self._fill = Script(redis, __package__, "feed_fill", FeedFillCall)
        self._add = Script(redis, __package__, "feed_add", FeedAddCall)
        self._watched_until: dict[int, float] = {}
        self._queue: list[FeedAddCall] = []
        self._wake = asyncio.Event()

    def note(self, receipt: Receipt, action: str) -> None:
        """A command has taken effect. Costs one look-up for players whose feed nobody reads."""
        player_id = receipt.player.id
        until = self._watched_until.get(player_id)
        if until is None or receipt.replayed or receipt.at is None or len(self._queue) >= LONGEST_QUEUE:
            return
        if until < time.monotonic():
            del self._watched_until[player_id]
            return
        version = receipt.player.version
        entry = {"version": version, "command_id": receipt.command_id, "action": action, "events": receipt.events,
                 "at": receipt.at.timestamp()}  # fmt: skip
        self._queue.append(FeedAddCall(_key(player_id), version, _text(entry), LENGTH))
        self._wake.set()

    async def run(self) -> None:
        """Adds the noted entries to their lists, all in one write."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            calls, self._queue = self._queue, []
            try:
                await self._add.many(calls)
            except LOST as error:
                log.warning("feeds are behind", error=described(error))

    async def of(self, player_id: int, version: int, limit: int) -> list[dict[str, Any]]:
        """The last `limit` entries (at most LENGTH) of a player who is at `version`, the newest first.

        `at` in seconds since 1970. Raises PlayerNotFound, DatabaseUnavailable.
        """
        self._watched_until.pop(player_id, None)
        self._watched_until[player_id] = time.monotonic() + LIFETIME_MS / 1000
        if len(self._watched_until) > WATCHED:
            del self._watched_until[next(iter(self._watched_until))]
        cached = await self._cached(player_id, limit)
        if cached and cached[0]["version"] >= version:
            return cached
        entries = await on_owner(
            self._slots, player_id, lambda connection: _newest(connection, player_id, version), reads=True
        )
        if entries:
            await self._fill_cache(player_id, entries)
        return entries[:limit]

    async def forget(self, player_id: int) -> int:
        """Deletes a player's feed from Redis; how many keys. Raises FriendsUnavailable."""
        self._watched_until.pop(player_id, None)
        with translated(FriendsUnavailable, AWAY):
            return int(await clients.send(self._redis, "UNLINK", _key(player_id)))

    async def _cached(self, player_id: int, limit: int) -> list[dict[str, Any]]:
        """An empty list while Redis is away, or has something else in its place, as if it had lost the feed."""
        try:
            rows = await self._read(FeedReadCall(_key(player_id), LIFETIME_MS, limit))
            return [orjson.loads(row.partition(b" ")[2]) for row in rows]
        except (*LOST, orjson.JSONDecodeError):
            return []

    async def _fill_cache(self, player_id: int, entries: Sequence[Mapping[str, Any]]) -> None:
        texts = [_text(entry) for entry in entries]
        try:
            await self._fill(FeedFillCall(_key(player_id), LIFETIME_MS, entries[0]["version"], texts))
        except LOST:
            log.warning("a feed is read from the ledger for now", player=player_id)


async def _newest(connection: AsyncConnection, player_id: int, version: int) -> list[dict[str, Any]]:
    """The entries of the highest versions. Mostly those of the newest command ids, which the ledger has in order."""
    entries = await _looked_at(connection, player_id, 2 * LENGTH)
    if [entry["version"] for entry in entries] == [*range(version, max(0, version - LENGTH), -1)]:
        return entries
    return await _looked_at(connection, player_id, SCANNED)


async def _looked_at(connection: AsyncConnection, player_id: int, rows: int) -> list[dict[str, Any]]:
    """The highest versions among so many of the player's newest rows."""
    newest = select(LEDGER).where(rows_of(player_id)).order_by(LEDGER.c.command_id.desc()).limit(rows).subquery()
    found = await connection.execute(select(newest).where(newest.c.seed >= 0))
    entries = [_entry(row) for row in found.mappings()]
    return sorted(entries, key=lambda entry: -entry["version"])[:LENGTH]


def _entry(row: RowMapping) -> dict[str, Any]:
    entry = entry_of(row)
    return {
        "version": entry.version,
        "command_id": entry.command_id,
        "action": entry.action,
        "events": entry.outcome["events"],
        "at": entry.at.timestamp(),
    }


def _text(entry: Mapping[str, Any]) -> bytes:
    return b"%d %s" % (entry["version"], orjson.dumps(entry))


def _key(player_id: int) -> str:
    return f"gs:feed:{{{player_id}}}"
