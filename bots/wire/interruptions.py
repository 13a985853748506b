"""How long a player went without an acknowledged action after it lost a connection or was sent away."""

import asyncio

from bots.count.tally import Tally

LOST, SENT_AWAY = "lost", "going_away"


class Interruption:
    """One player's present interruption, if there is one; when it ends, its length goes to the tally."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._cause = ""
        self._since = 0.0
        self._away = False

    def begin(self, cause: str) -> None:
        """Note a lost connection, or a server that sends the player away; during an interruption it is part of that.

        Only interruptions of the play count: a player that is still signing up has no action to be acknowledged.
        """
        if not self._cause and self._tally.playing:
            self._cause, self._since = cause, _now()
            self._away = cause == SENT_AWAY

    def arrived(self) -> None:
        """Note that a player that was sent away has its next socket."""
        self._away = False

    def acknowledged(self) -> None:
        """End the interruption; the acknowledgement of an action sent over the old socket only moves its start."""
        if self._away:
            self._since = _now()
        elif self._cause:
            self._tally.interrupted(self._cause, _now() - self._since)
            self._cause = ""


def _now() -> float:
    return asyncio.get_running_loop().time()
