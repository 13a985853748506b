"""Stored pushes: each player's numbered stream in Redis, of which a client that resumes gets what it missed.

Law: a stream's numbers rise by one. When Redis has lost a stream, or a client turns out to have had what isn't in it,
the next one has another name, so a client can't confuse the two. Only a client that lost its connection when Redis lost
its last pushes, and comes back after as many others, is told that it has missed nothing: it sends numbers alone. Only a
bounded tail is stored, of which a sender has only a share, and mail only for players that are connected or were in the
last minutes. Nothing here is the only copy of anything: mail is in its inbox in Postgres. Notices to all join a
player's stream when they are pushed to the player, or when the player comes back while they are stored.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.asyncio import Redis

from gameserver.rules.errors import PresenceUnavailable
from gameserver.storage.live.presence import AWAY, EVERYWHERE, NOTICE
from gameserver.storage.live.stored_push import StoredPush, author_of, push_or_none, text_of, without_text
from gameserver.storage.redis import clients
from gameserver.storage.redis.faults import translated
from gameserver.storage.redis.scripts import Argument, Script
from gameserver.storage.redis.unreadable import Unreadable, reading

KEPT_PUSHES = 100
SENDER_SHARE = 20
"""Stored letters of one sender, at the most; its oldest go first, and are still in the inbox."""
KEPT_NOTICES = 20
"""Of each kind."""
KEPT_MS = 6 * 3600 * 1000
"""How long notices stay, and the stream of a player that isn't connected and gets one."""
STREAM_MS = 15 * 60 * 1000
"""How long a stream stays after it was last read: nodes read those of the connected more often than that."""
SURE_SECONDS = 60
"""After so long an open socket has had what it was sent: one whose client has gone is closed after 30 s."""
NOTICES, NOTICE_NUMBER = "gs:{notices}:list", "gs:{notices}:number"
PUSHES = "gs:pushes:"


@dataclass(frozen=True, slots=True)
class Seen:
    """The last push that a client has seen: a stream's name, a number in it, and the push's mark, if it is known.

    Not `greeted`: the hello of an open socket is under way.
    """

    stream: str = ""
    seq: int = 0
    mark: str = ""
    greeted: bool = True


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream's last number; with `resumed`, `missed` is everything after what the client has seen.

    Without it, `missed` is what waits for the player, and what came since. With `mail_skipped`, letters of a
    sender that sent many are missing from it; they are in the inbox.
    """

    stream: str
    seq: int
    resumed: bool
    missed: Sequence[StoredPush]
    mail_skipped: bool = False

    @property
    def before_missed(self) -> int:
        """The number from which `missed` goes on."""
        return self.missed[0].seq - 1 if self.missed else self.seq


class PushOpenCall(NamedTuple):
    stream: str
    tail: str
    name: str
    most: int
    lifetime_ms: int
    known: str
    seen_seq: int
    seen_mark: str
    is_whole: int
    is_greeted: int
    sure_seconds: int
    newest: int
    notices: Sequence[Argument]


class PushKeepCall(NamedTuple):
    stream: str
    tail: str
    name: str
    most: int
    lifetime_ms: int
    does_wait: int
    push: bytes
    author: bytes
    share: int


class PushReplaceCall(NamedTuple):
    tail: str
    old: bytes
    new: bytes


class NoticeAddCall(NamedTuple):
    last: str
    notices: str
    push: bytes
    is_once: int
    most: int
    lifetime_ms: int
    channel: str
    message: bytes


class Pushes:
    """One per node. `load_notices` must be called whenever a notice may have been added."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._open = Script(redis, __package__, "push_open", PushOpenCall)
        self._keep = Script(redis, __package__, "push_keep", PushKeepCall)
        self._replace = Script(redis, __package__, "push_replace", PushReplaceCall)
        self._add = Script(redis, __package__, "notice_add", NoticeAddCall)
        self._notices: list[Argument] = []
        self._newest = 0

    async def forget(self, player_id: int) -> int:
        """Deletes a player's stream, and what is stored for it; how many keys. Raises PresenceUnavailable."""
        with translated(PresenceUnavailable, AWAY):
            return int(await clients.send(self._redis, "UNLINK", *_keys(player_id)))

    async def forget_letters(self, player_id: int, sender: int) -> int:
        """Erases what stored letters of one sender say, in another's stream; how many. Raises PresenceUnavailable."""
        tail = _keys(player_id)[1]
        with translated(PresenceUnavailable, AWAY):
            rows = await clients.send(self._redis, "LRANGE", tail, 0, -1)
            try:
                with reading(tail):
                    pairs = [(row, erased) for row in rows if (erased := without_text(row, sender)) != row]
            except Unreadable:
                await self.forget(player_id)
                return 0
            for row, erased in pairs:
                await self._replace(PushReplaceCall(tail=tail, old=row, new=erased))
        return len(pairs)

    async def open(self, player_id: int, seen: Seen) -> Opened:
        """A player's stream, and what it got since `seen`. Raises PresenceUnavailable."""
        (opened,) = await self._opened([(player_id, seen)], whole=False)
        return opened

    async def catch_up(self, players: Sequence[tuple[int, Seen]]) -> list[Opened]:
        """The same for open sockets; where something is missing, `missed` is everything that is still stored.

        Raises PresenceUnavailable.
        """
        return await self._opened(players, whole=True)

    async def _opened(self, players: Sequence[tuple[int, Seen]], *, whole: bool) -> list[Opened]:
        """A stream that can't be read is deleted, and another one opened in its place."""
        with translated(PresenceUnavailable, AWAY):
            rows = await self._open.many([self._call(player_id, seen, whole=whole) for player_id, seen in players])
            return [
                await self._opened_anew(player_id, seen, whole=whole) if (opened := _opened(row)) is None else opened
                for (player_id, seen), row in zip(players, rows, strict=True)
            ]

    async def _opened_anew(self, player_id: int, seen: Seen, *, whole: bool) -> Opened:
        await self.forget(player_id)
        opened = _opened(await self._open(self._call(player_id, seen, whole=whole)))
        if opened is None:
            raise Unreadable("a stream of pushes that was only just begun can't be read")
        return opened

    def _call(self, player_id: int, seen: Seen, *, whole: bool) -> PushOpenCall:
        stream, tail = _keys(player_id)
        return PushOpenCall(
            stream=stream,
            tail=tail,
            name=secrets.token_hex(4),
            most=KEPT_PUSHES,
            lifetime_ms=STREAM_MS,
            known=seen.stream,
            seen_seq=seen.seq,
            seen_mark=seen.mark,
            is_whole=int(whole),
            is_greeted=int(seen.greeted),
            sure_seconds=SURE_SECONDS,
            newest=self._newest,
            notices=self._notices,
        )

    async def keep(self, player_id: int, kind: str, data: object) -> int:
        """Puts a push that waits for the player into its stream; its number, for `Presence.announce`.

        Raises PresenceUnavailable.
        """
        (number,) = await self._keep_all(kind, [(player_id, data)], does_wait=True)
        return number

    async def keep_many(self, kind: str, pushes: Sequence[tuple[int, object]]) -> list[int]:
        """Puts a push into the stream of each player that has one, in order; their numbers, 0 for others.

        Whoever is connected, or was in the last minutes, has one. Raises PresenceUnavailable.
        """
        return await self._keep_all(kind, pushes, does_wait=False)

    async def _keep_all(self, kind: str, pushes: Sequence[tuple[int, object]], *, does_wait: bool) -> list[int]:
        calls = [
            PushKeepCall(
                *_keys(player_id),
                secrets.token_hex(4),
                KEPT_PUSHES,
                KEPT_MS,
                int(does_wait),
                text_of(kind, data),
                author_of(data),
                SENDER_SHARE,
            )
            for player_id, data in pushes
        ]
        with translated(PresenceUnavailable, AWAY):
            return [int(number) for number in await self._keep.many(calls)]

    async def add_notice(self, data: object, kind: str = "notice", *, once: bool = False) -> int:
        """Adds a notice to all players and tells the nodes; its number. Raises PresenceUnavailable.

        `once`: not if it is stored already.
        """
        call = NoticeAddCall(
            last=NOTICE_NUMBER,
            notices=NOTICES,
            push=text_of(kind, data),
            is_once=int(once),
            most=KEPT_NOTICES,
            lifetime_ms=KEPT_MS,
            channel=EVERYWHERE,
            message=NOTICE,
        )
        with translated(PresenceUnavailable, AWAY):
            return int(await self._add(call))

    async def load_notices(self) -> None:
        """Reads the latest notices. Raises PresenceUnavailable."""
        with translated(PresenceUnavailable, AWAY):
            rows = await clients.send(self._redis, "LRANGE", NOTICES, 0, -1)
        # What can't be read wasn't stored by the product.
        notices = [notice for notice in (push_or_none(NOTICES, row) for row in rows) if notice is not None]
        self._notices = [part for notice in notices for part in (notice.seq, text_of(notice.kind, notice.data))]
        self._newest = notices[-1].seq if notices else 0


def _keys(player_id: int) -> tuple[str, str]:
    return f"gs:stream:{{{player_id}}}", f"{PUSHES}{{{player_id}}}"


def _opened(row: Any) -> Opened | None:
    """None for a stream that can't be read."""
    stream, seq, resumed, missed, skipped = row
    pushes = [push for entry in missed if (push := push_or_none(PUSHES, entry)) is not None]
    if len(pushes) < len(missed):
        return None
    return Opened(stream.decode(), int(seq), bool(resumed), pushes, bool(skipped))
