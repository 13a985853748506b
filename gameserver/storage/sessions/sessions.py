"""Sessions: opened, checked and ended on any node.

Law: a revocation holds on every node within a second. A remembered session counts only while the last read of the
revocations is under a second old; otherwise Redis is asked. What Redis says of a session counts only if its epoch is
the player's in Postgres, so an old dump brings back no session that a changed password, a ban or revoke-all has ended.
While Redis itself is away, sessions that were checked before go on, their epochs are still checked every 30 s, and
the epoch under the lock of the write path guards every write.

A session is opened at an epoch that was read before it is stored. Whoever raises the epoch then bars earlier ones in
Redis, and lists what is to be ended, at one moment: a session that is stored before it is on that list, and one that
comes later is refused. The bar is far longer than an epoch counts as read lately; one read earlier is read again.
"""

import time
from collections.abc import Callable, Sequence

import structlog
from redis.asyncio import Redis

from gameserver.rules.errors import NotAuthenticated, SessionNotFound, SessionRevoked, SessionsUnavailable, Unavailable
from gameserver.storage.redis.faults import translated
from gameserver.storage.sessions.endings import Endings, Epochs, Holders
from gameserver.storage.sessions.memory import Memory, Session
from gameserver.storage.sessions.revocations import Revocations
from gameserver.storage.sessions.sightings import Sightings
from gameserver.storage.sessions.store import UNKNOWN, Listed, Origin, SessionStore
from gameserver.storage.sessions.tokens import identify, name_of, new_token

__all__ = ["UNKNOWN", "Listed", "Origin", "Session", "Sessions"]

log = structlog.get_logger()

AWAY = "Sessions can't be checked right now."
LATELY_SECONDS = 10.0
"""How long an epoch that was read in Postgres is good for opening a session: far shorter than BAR_SECONDS."""
NO_EPOCH = 1 << 53
"""Above all epochs: of a player that doesn't exist no session is opened."""


class Sessions:
    """One per node. `run` follows the revocations until it is cancelled."""

    def __init__(
        self,
        redis: Redis,
        stream: Redis,
        epochs: Epochs,
        lifetimes: tuple[int, int],
        per_player: int,
        clock: Callable[[], float],
    ) -> None:
        """`stream` is for the revocations alone; `lifetimes` are those of idle and of any sessions, in seconds.

        `clock` gives Unix seconds.
        """
        self._store = SessionStore(redis, lifetimes, per_player, clock)
        self._epochs, self._revocations = epochs, Revocations(redis, stream)
        self.sightings = Sightings(clock)
        self._memory = Memory(lifetimes[0], clock, self.sightings.note)
        self._endings = Endings(self._store, self._revocations, self._memory, epochs)

    async def run(self, holders: Holders) -> None:
        """Ends the sessions that `holders` have open, as they are revoked, and as Postgres says every 30 s."""
        await self._endings.run(holders)

    async def require_open(self) -> None:
        """Raises SessionsUnavailable unless a session can be opened: asked before something is made that needs one."""
        with translated(SessionsUnavailable, AWAY):
            await self._store.require_writable()

    async def open(self, player_id: int, epoch: int, origin: Origin, seen: float | None = None) -> tuple[str, Session]:
        """A new session and its token; the player's oldest end if there are too many.

        `seen` is a time on the monotonic clock after which the epoch was read in Postgres; without it, or when it is
        long ago, it is read again. Raises SessionRevoked when the epoch is over by the time that the session is stored,
        SessionsUnavailable, DatabaseUnavailable, Overloaded.
        """
        token = new_token(player_id)
        with translated(SessionsUnavailable, AWAY):
            stored = await self._store.open(player_id, name_of(token), epoch, origin)
        if stored is None:
            raise SessionRevoked("The session has ended.")
        session, over = stored
        if over:
            with translated(SessionsUnavailable, AWAY):
                await self._announced(player_id, over)
                self._store.delete_soon(player_id, over)
        if not (_is_lately(seen) or await self._is_current(session)):
            await self._discard(session)
            raise SessionRevoked("The session has ended.")
        return token, self._memory.keep(session)

    def known(self, token: str) -> Session | None:
        """The session of a token that this node may trust without asking anybody."""
        return self._memory.trusted(name_of(token))

    async def check(self, token: str) -> Session:
        """The session of a token. Raises NotAuthenticated, SessionsUnavailable, DatabaseUnavailable, Overloaded."""
        return self.known(token) or await self._ask(token)

    async def _ask(self, token: str) -> Session:
        player_id, name = identify(token)
        earlier = self._memory.last(name)

        # Redis must have it, and no revocation may have been read meanwhile.
        session = await self._stored(player_id, name, earlier)
        if session is None or self._memory.has_ended(name):
            self._memory.drop(name)
            raise NotAuthenticated("The session token isn't valid (any more).")

        # Its epoch must be the player's; while Postgres is away, a session that was checked before goes on.
        try:
            current = await self._is_current(session)
        except Unavailable:
            if earlier is None:
                raise
            current = True
        if not current:
            await self._discard(session)
            raise SessionRevoked("The session has ended.")
        return self._memory.keep(session)

    async def _stored(self, player_id: int, name: str, earlier: Session | None) -> Session | None:
        """What Redis has; while it is away, what this node knew. Raises SessionsUnavailable."""
        if earlier is not None and self._memory.away:
            return earlier
        try:
            with translated(SessionsUnavailable, AWAY):
                return await self._store.touch(player_id, name)
        except SessionsUnavailable:
            if earlier is None:
                raise
            return earlier

    async def _is_current(self, session: Session) -> bool:
        epoch = await self._epochs.epoch(session.player_id)
        return epoch is not None and session.epoch >= epoch

    async def _discard(self, session: Session) -> None:
        """Ends a session that Postgres knows to have ended."""
        self._memory.end([session.name])
        try:
            await self._end(session.player_id, [session.name])
        except SessionsUnavailable:
            log.info("an ended session stays in Redis for now", player=session.player_id)

    async def listed(self, player_id: int, epoch: int = 0) -> list[Listed]:
        """A player's sessions, oldest first, without those of earlier epochs. Raises SessionsUnavailable."""
        with translated(SessionsUnavailable, AWAY):
            sessions = await self._store.listed(player_id)
        return [session for session in sessions if session.epoch >= epoch]

    async def revoke(self, session: Session) -> None:
        """Ends a session on every node within a second. Raises SessionsUnavailable."""
        await self._end(session.player_id, [session.name])

    async def revoke_listed(self, session: Session, listed_id: str) -> None:
        """Ends another session of the player, not of a later epoch. Raises SessionNotFound, SessionsUnavailable."""
        await self.end_listed(session.player_id, listed_id, session.epoch)

    async def end_listed(self, player_id: int, listed_id: str, last_epoch: int = NO_EPOCH) -> None:
        """Ends a session of a player. Raises SessionNotFound, SessionsUnavailable."""
        listed = [one for one in await self.listed(player_id) if one.epoch <= last_epoch]
        names = [one.name for one in listed if one.id == listed_id]
        if not names:
            raise SessionNotFound("There is no such session of the player.")
        await self._end(player_id, names)

    async def revoke_all(self, player_id: int) -> None:
        """Ends all sessions of a player, whose epoch was raised before, on every node within a second.

        Raises SessionsUnavailable, DatabaseUnavailable, Overloaded.
        """
        epoch = await self._epochs.epoch(player_id)
        await self._end(player_id, await self._barred(player_id, NO_EPOCH if epoch is None else epoch))

    async def revoke_before(self, player_id: int, epoch: int) -> None:
        """Ends a player's sessions of earlier epochs on every node within a second. Raises SessionsUnavailable."""
        await self._barred(player_id, epoch)
        listed = await self.listed(player_id)
        await self._end(player_id, [session.name for session in listed if session.epoch < epoch])

    async def _barred(self, player_id: int, epoch: int) -> list[str]:
        """The names of a player's sessions; from here on none of an earlier epoch is opened."""
        with translated(SessionsUnavailable, AWAY):
            return await self._store.bar(player_id, epoch)

    async def _end(self, player_id: int, names: Sequence[str]) -> None:
        """The announcement comes first: from then on every node ends them, also if this one dies."""
        if not names:
            return
        with translated(SessionsUnavailable, AWAY):
            await self._announced(player_id, names)
            await self._store.delete(player_id, names)

    async def _announced(self, player_id: int, names: Sequence[str]) -> None:
        await self._revocations.announce(player_id, names)
        self._memory.end(names)


def _is_lately(seen: float | None) -> bool:
    return seen is not None and time.monotonic() - seen < LATELY_SECONDS
