"""A player's friends: a table in Postgres, and a set in Redis that reads are answered from.

Law: Postgres is the truth, and the set is never older than an answered change. A change deletes the set before it
commits, bars its filling meanwhile, and deletes it again afterwards; when Redis can't be reached beforehand, nothing is
changed. A reader fills the set only with what it read under a leave of its own that no change has ended. Whatever Redis
loses is read again from Postgres. A restored dump can serve stale friends for at most ten minutes.
"""

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from redis.asyncio import Redis

from gameserver.rules.errors import FriendsUnavailable, TooManyFriends
from gameserver.storage.postgres import statements
from gameserver.storage.redis import clients
from gameserver.storage.redis.coalescing import CoalescedScript
from gameserver.storage.redis.faults import translated
from gameserver.storage.redis.scripts import Script
from gameserver.storage.redis.unreadable import Unreadable, reading
from gameserver.storage.slots.pages import Pages
from gameserver.storage.slots.slot_map import Slots
from gameserver.storage.social.lists import ListChange, ListFull, Lists

log = structlog.get_logger()

SQL = statements.load(__package__, "friends.sql")
LIFETIME_MS = 600_000
LEAVE_MS = 5_000
GUARD_MS = 30_000
"""Longer than any transaction's deadline."""
LEAVE = "leave:"
"""How the token of a reader begins, other than that of a change."""
LONGEST_ID = 19
"""Digits."""
AWAY = "Friends can't be changed right now."


@dataclass(frozen=True, slots=True)
class FriendChange:
    """A change that a session of `epoch` asks for."""

    player_id: int
    epoch: int
    friend_id: int


class FriendsReadCall(NamedTuple):
    friends: str
    guard: str
    token: str
    leave_ms: int


class FriendsFillCall(NamedTuple):
    friends: str
    guard: str
    token: str
    lifetime_ms: int
    members: Sequence[int]


class FriendsGuardCall(NamedTuple):
    friends: str
    guard: str
    token: str
    guard_ms: int | str
    leave: str


class Friends:
    """One per node; `most` friends a player."""

    def __init__(self, redis: Redis, slots: Slots, lists: Lists, most: int) -> None:
        self._redis, self._lists, self.most = redis, lists, most
        self._read = CoalescedScript(Script(redis, __package__, "friends_read", FriendsReadCall))
        self._fill = CoalescedScript(Script(redis, __package__, "friends_fill", FriendsFillCall))
        self._pages = Pages(slots, SQL["page"], int)
        self._guard = CoalescedScript(Script(redis, __package__, "friends_guard", FriendsGuardCall))

    async def of(self, player_id: int) -> list[int]:
        """The ids of a player's friends, in their order. Raises DatabaseUnavailable."""
        keys, token = _keys(player_id), LEAVE + secrets.token_hex(8)
        try:
            with translated(FriendsUnavailable, AWAY):
                cached, answer = await self._cached(player_id, FriendsReadCall(*keys, token, LEAVE_MS))
            if cached:
                return sorted(cached - {player_id})
        except FriendsUnavailable:
            answer = b""
        friends = await self._pages.of(player_id)
        if answer:
            await self._fill_cache(player_id, token, friends)
        return friends

    async def _cached(self, player_id: int, call: FriendsReadCall) -> tuple[set[int], bytes]:
        """What is cached, with the player itself; or nothing, and the leave to fill the set, if there is one.

        A set that can't be read, or lacks the player itself, isn't one that was filled here: it is deleted.
        """
        for _ in range(2):
            is_there, answer = await self._read(call)
            if not is_there:
                return set(), answer
            with contextlib.suppress(Unreadable), reading(call.friends):
                return _members(player_id, answer), b""
            await clients.send(self._redis, "UNLINK", call.friends)
        return set(), b""

    async def forget(self, player_id: int) -> int:
        """Deletes what Redis has of a player's friends; how many keys. Raises FriendsUnavailable."""
        with translated(FriendsUnavailable, AWAY):
            return int(await clients.send(self._redis, "UNLINK", *_keys(player_id)))

    async def _fill_cache(self, player_id: int, token: str, friends: Sequence[int]) -> None:
        """With the player itself, since Redis has no empty sets."""
        try:
            with translated(FriendsUnavailable, AWAY):
                await self._fill(FriendsFillCall(*_keys(player_id), token, LIFETIME_MS, [player_id, *friends]))
        except FriendsUnavailable:
            log.warning("friends are read from Postgres for now", player=player_id)

    async def add(self, change: FriendChange) -> bool:
        """Adds a friend, which the caller knows to exist; False if it was one already.

        Raises TooManyFriends, SessionRevoked, PlayerNotFound, FriendsUnavailable, DatabaseUnavailable.
        """
        try:
            return await self._changed(ListChange("friends", *_fields(change), self.most))
        except ListFull:
            raise TooManyFriends(f"You can't have more than {self.most} friends.") from None

    async def remove(self, change: FriendChange) -> bool:
        """Removes a friend; False if it was none. Raises what `add` does."""
        return await self._changed(ListChange("friends", *_fields(change), None))

    async def _changed(self, change: ListChange) -> bool:
        keys, token = _keys(change.player_id), secrets.token_hex(8)
        with translated(FriendsUnavailable, AWAY):
            await self._guard(FriendsGuardCall(*keys, token, GUARD_MS, LEAVE))
        try:
            return await self._lists.change(change)
        finally:
            try:
                with translated(FriendsUnavailable, AWAY):
                    await self._guard(FriendsGuardCall(*keys, token, "", LEAVE))
            except FriendsUnavailable:
                log.warning("the guard of a player's friends will end by itself", player=change.player_id)


def _members(player_id: int, answer: Sequence[bytes]) -> set[int]:
    """Raises ValueError."""
    if not all(member.isdigit() and len(member) <= LONGEST_ID for member in answer):
        raise ValueError("not the ids of players")
    members = {int(member) for member in answer}
    if player_id not in members:
        raise ValueError("not a set that was filled")
    return members


def _fields(change: FriendChange) -> tuple[int, int, int]:
    return change.player_id, change.epoch, change.friend_id


def _keys(player_id: int) -> tuple[str, str]:
    return f"gs:friends:{{{player_id}}}", f"gs:friends:{{{player_id}}}:guard"
