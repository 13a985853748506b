"""What a node remembers of sessions: those that it has checked, and which of them have ended.

Law: a session that ended while it was being checked isn't remembered, since its end is remembered for longer than any
check takes. What is remembered counts only for a second after the revocations were read, unless Redis is away.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gameserver.rules.errors import SessionRevoked
from gameserver.telemetry import SESSIONS_CACHED

FRESH_SECONDS = 1.0
RECHECK_SECONDS = 30.0
REMEMBERED = 200_000
"""Sessions that a node remembers, at the most."""


@dataclass(frozen=True, slots=True)
class Session:
    """A checked session. `name` is the hash of its token, in hexadecimal; `epoch` guards writes.

    `expires_at` slides with its use; `ends_at` doesn't.
    """

    name: str
    player_id: int
    epoch: int
    opened_at: datetime
    expires_at: datetime
    ends_at: datetime
    by_password: bool = False
    """Whether it was opened with the player's password, which then proves more than a device does."""

    @property
    def allowance(self) -> int:
        """What its reads and its changes of keys are counted under: who has the password has an allowance apart.

        So whoever has a stolen device doesn't use up what the owner needs to take that device away.
        """
        return -self.player_id if self.by_password else self.player_id


class Memory:
    """`away` says that the revocations can't be read: that Redis is away, or so slow that it might be."""

    def __init__(self, idle_seconds: float, clock: Callable[[], float], note: Callable[[int], None]) -> None:
        """Active sessions are checked again four times per idle period, so they expire at most 25 % early.

        `note` is told the player of each session that is found in use.
        """
        self.away = False
        self.note = note
        self.clock = clock
        self._recheck = min(RECHECK_SECONDS, idle_seconds / 4)
        self._known: dict[str, tuple[Session, float]] = {}
        self._ended: dict[str, float] = {}
        self._current = -FRESH_SECONDS
        SESSIONS_CACHED.set_function(lambda: len(self._known))

    def __len__(self) -> int:
        return len(self._known)

    def trusted(self, name: str) -> Session | None:
        """A session that needn't be checked again."""
        entry = self._known.get(name)
        if entry is None:
            return None
        session, checked = entry
        now = time.monotonic()
        if now - checked > self._recheck or (not self.away and now - self._current > FRESH_SECONDS):
            return None
        end = session.ends_at if self.away else session.expires_at
        return session if end.timestamp() > self.clock() else None

    def last(self, name: str) -> Session | None:
        """A session as it was last checked, unless its end has come: to go on with while it can't be checked."""
        session, _ = self._known.get(name, (None, 0.0))
        return session if session is not None and session.ends_at.timestamp() > self.clock() else None

    def has_ended(self, name: str) -> bool:
        """Whether its end was read lately."""
        return name in self._ended

    def keep(self, session: Session) -> Session:
        """Remembers a session that was just checked. Raises SessionRevoked if it ended meanwhile."""
        if session.name in self._ended:
            raise SessionRevoked("The session has ended.")
        self._known.pop(session.name, None)
        self._known[session.name] = (session, time.monotonic())
        self.note(session.player_id)
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return session

    def drop(self, name: str) -> None:
        self._known.pop(name, None)

    def end(self, names: Sequence[str]) -> None:
        """Forgets sessions, and remembers that they ended until no check of one can be under way any more."""
        now = time.monotonic()
        for name in names:
            self._known.pop(name, None)
            self._ended.pop(name, None)
            self._ended[name] = now
        while self._ended and next(iter(self._ended.values())) < now - RECHECK_SECONDS:
            del self._ended[next(iter(self._ended))]

    def set_current(self, moment: float) -> None:
        """All revocations until this moment, of the monotonic clock, have been read."""
        self._current = moment

    def clear(self) -> None:
        self._known.clear()
