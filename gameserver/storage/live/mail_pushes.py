"""Pushes of mail on their way to the recipients' streams.

Law: what Redis can't take waits here, and is pushed when it is back, unless this process has ended by then. So does
what is cancelled on its way. The oldest go first when more wait than MOST_WAITING. Every mail is in its inbox in any
case.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog

from gameserver.rules.errors import PresenceUnavailable
from gameserver.storage.live.presence import KEPT, Presence
from gameserver.storage.live.pushes import Pushes

log = structlog.get_logger()

MOST_WAITING = 10_000
RETRY_SECONDS = 1.0

Letter = tuple[int, object]
"""A recipient, and the mail as its player sees it."""


class MailPushes:
    """One per node."""

    def __init__(self, pushes: Pushes, presence: Presence) -> None:
        self._pushes, self._presence = pushes, presence
        self._waiting: deque[Letter] = deque()

    async def send(self, letters: Sequence[Letter]) -> None:
        """Stores pushes and announces them, together with those that still wait for Redis."""
        sent = [*self._waiting, *letters]
        if not sent:
            return
        self._waiting.clear()
        try:
            numbers = await self._pushes.keep_many("mail", sent)
            ids = [player_id for player_id, _ in sent]
            await self._presence.announce(KEPT, list(zip(ids, numbers, strict=True)))
        except asyncio.CancelledError:
            self._put_back(sent)
            raise
        except PresenceUnavailable as error:
            lost = self._put_back(sent)
            log.warning("mail is pushed when Redis is back", letters=len(self._waiting), lost=lost, error=error.detail)

    def _put_back(self, letters: Sequence[Letter]) -> int:
        """How many were lost for it."""
        self._waiting.extend(letters)
        lost = max(0, len(self._waiting) - MOST_WAITING)
        for _ in range(lost):
            self._waiting.popleft()
        return lost

    async def send_for_ever(self) -> None:
        """Pushes what waits for Redis as soon as it is back."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            await self.send([])
