"""What a player did last: a capped list in Redis, derived from the ledger, for players whose feed is read.

Law: a returned feed is complete up to the player's version. An entry carries the version that it led to, and versions
have no gaps; a list whose newest entry isn't of the present version, or that Redis has lost, is read again from the
ledger. One that is ahead of the ledger, since the database went back, is replaced. So the list may be behind or lost at
any time, and no action waits for it: only feeds that were lately read on this node are kept up to date, by one pipeline
for everything that was done meanwhile. What is read again is the newest SCANNED commands by their ids, refused ones
among them: a feed lacks what lies behind these, and is cached nevertheless, or a player of many refused commands would
have all of them looked at by each read. Entries are the JSON of the answer from the beginning: nobody takes them apart.

What an erasure takes from the ledger is in no list afterwards: whoever reads the ledger for a list takes a leave first,
fills the list only while that leave holds, and the erasure ends it when it forgets the list. Who reads meanwhile shares
the leave, and the first to have read uses it up: if each took another, a feed of many readers might never be filled.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

import orjson
import structlog
from redis.asyncio import Redis

from gameserver.rules.errors import FriendsUnavailable
from gameserver.storage.players.command import Receipt
from gameserver.storage.postgres import statements
from gameserver.storage.redis import clients
from gameserver.storage.redis.coalescing import CoalescedScript
from gameserver.storage.redis.faults import LOST, described, translated
from gameserver.storage.redis.scripts import Script
from gameserver.storage.redis.unreadable import Unreadable, reading
from gameserver.storage.slots.pages import Pages
from gameserver.storage.slots.scanned_pages import SCANNED
from gameserver.storage.slots.slot_map import Slots
from gameserver.times import rfc3339

log = structlog.get_logger()

AWAY = "Feeds can't be reached right now."
LENGTH = 50
LIFETIME_MS = 600_000
LEAVE_MS = 10_000
WATCHED = 10_000
"""Players whose feeds a node keeps up to date, at the most."""
LONGEST_QUEUE = 5_000
HIGHEST_VERSION = 1 << 53
BEGINNING = b'{"version":'
"""Of an entry's JSON."""
SQL = statements.load(__package__, "feeds.sql")


class Entry(NamedTuple):
    """Something that a player did, as JSON, and the version that it led to."""

    version: int
    text: bytes


class _Cached(NamedTuple):
    """The newest version of a cached feed, 0 if there is none, and its entries if they are complete."""

    head: int = 0
    entries: list[bytes] | None = None


class _Read(NamedTuple):
    """A player's version, the entries that the ledger had after it, and the cached head before."""

    version: int
    newest: Sequence[Entry]
    cached_head: int


class FeedReadCall(NamedTuple):
    feed: str
    lifetime_ms: int
    version: int
    limit: int


class FeedFillCall(NamedTuple):
    feed: str
    leave: str
    token: str
    lifetime_ms: int
    version: int
    undone: int
    entries: Sequence[bytes]


class FeedAddCall(NamedTuple):
    feed: str
    version: int
    entry: bytes
    length: int


class Feeds:
    """One per node. `run` works until it is cancelled."""

    def __init__(self, redis: Redis, slots: Slots) -> None:
        self._redis = redis
        self._pages = Pages(slots, SQL["newest"], _entry)
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
                 "at": rfc3339(receipt.at)}  # fmt: skip
        self._queue.append(FeedAddCall(_key(player_id), version, _row(version, orjson.dumps(entry)), LENGTH))
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

    async def of(self, player_id: int, version: int, limit: int) -> list[bytes]:
        """The last `limit` entries (at most LENGTH) of a player who is at `version`, the newest first, as JSON.

        Raises PlayerNotFound, DatabaseUnavailable, Overloaded.
        """
        self._watched_until.pop(player_id, None)
        self._watched_until[player_id] = time.monotonic() + LIFETIME_MS / 1000
        if len(self._watched_until) > WATCHED:
            del self._watched_until[next(iter(self._watched_until))]
        cached = await self._cached(player_id, version, limit)
        if cached.entries is not None:
            return cached.entries
        token = await self._take_leave(player_id)
        newest = await self._newest(player_id, version)
        if token:
            await self._fill_cache(player_id, token, _Read(version, newest, cached.head))
        return [entry.text for entry in newest[:limit]]

    async def forget(self, player_id: int) -> int:
        """Deletes a player's feed from Redis; how many keys. Raises FriendsUnavailable.

        What was read from the ledger before, and isn't cached yet, won't be.
        """
        self._watched_until.pop(player_id, None)
        with translated(FriendsUnavailable, AWAY):
            return int(await clients.send(self._redis, "UNLINK", _key(player_id), _leave_key(player_id)))

    async def _cached(self, player_id: int, version: int, limit: int) -> _Cached:
        """Without entries if what is cached isn't complete up to `version`, or is of another past.

        Also while Redis is away, or has something else in its place, as if it had lost the feed.
        """
        key = _key(player_id)
        try:
            rows = await self._read(FeedReadCall(key, LIFETIME_MS, version, limit + 1))
            with reading(key):
                return _answered(rows, version, limit)
        except Unreadable:
            await self._lose(key)
            return _Cached()
        except LOST:
            return _Cached()

    async def _lose(self, key: str) -> None:
        with contextlib.suppress(*LOST):
            await clients.send(self._redis, "UNLINK", key)

    async def _take_leave(self, player_id: int) -> str:
        """To fill a player's feed with what is read from now on, which others who read it now share.

        Empty while Redis is away.
        """
        token = secrets.token_hex(8)
        try:
            theirs = await clients.send(self._redis, "SET", _leave_key(player_id), token, "NX", "GET", "PX", LEAVE_MS)
        except LOST:
            return ""
        return token if theirs is None else theirs.decode("latin-1")

    async def _fill_cache(self, player_id: int, token: str, read: _Read) -> None:
        """Above older entries stands the version alone: what led to it lies behind what is looked at."""
        rows, head = [_row(*entry) for entry in read.newest], _head(read.version, read.newest)
        if not read.newest or read.newest[0].version < head:
            rows.insert(0, _row(head, b""))
        keys = _key(player_id), _leave_key(player_id)
        try:
            await self._fill(FeedFillCall(*keys, token, LIFETIME_MS, head, read.cached_head, rows))
        except LOST:
            log.warning("a feed is read from the ledger for now", player=player_id)

    async def _newest(self, player_id: int, version: int) -> list[Entry]:
        """The entries of the highest versions. Mostly those of the newest command ids, which are in order."""
        entries = await self._pages.of(player_id, 2 * LENGTH, LENGTH)
        head = _head(version, entries)
        if [entry.version for entry in entries] == [*range(head, max(0, head - LENGTH), -1)]:
            return entries
        return await self._pages.of(player_id, SCANNED, LENGTH)


def _entry(version: int, text: str) -> Entry:
    return Entry(version, text.encode())


def _head(version: int, newest: Sequence[Entry]) -> int:
    """The version up to which a player's newest entries were read: it may have acted since it was at `version`."""
    return max(version, newest[0].version) if newest else version


def _answered(rows: Sequence[bytes], version: int, limit: int) -> _Cached:
    """A feed's head, and its entries if that is `version`. Raises ValueError for what isn't a feed."""
    if not rows:
        return _Cached()
    versions = [int(row.partition(b" ")[0]) for row in rows]
    entries = [entry for row in rows if (entry := row.partition(b" ")[2])]
    if versions[0] > HIGHEST_VERSION or not all(entry.startswith(BEGINNING) for entry in entries):
        raise ValueError("not a feed")
    return _Cached(versions[0], entries[:limit] if versions[0] == version else None)


def _row(version: int, text: bytes) -> bytes:
    return b"%d %s" % (version, text)


def _key(player_id: int) -> str:
    return f"gs:feed:{{{player_id}}}:json"


def _leave_key(player_id: int) -> str:
    return f"gs:feed:{{{player_id}}}:leave"
