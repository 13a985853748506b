"""How long a player went without an acknowledged action after he had lost a connection or been sent away."""

import asyncio

from bots.count.tally import Tally

LOST, SENT_AWAY = "lost", "going_away"


class Interruption:
    """One player's present interruption, if there is one; its end goes to the tally."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._cause = ""
        self._since = 0.0
        self._away = False

    def begin(self, cause: str) -> None:
        """Note a lost connection, or being sent away; within another interruption it is part of that.

        Only what happens while the swarm plays counts: who signs up has no action to be acknowledged yet.
        """
        if not self._cause and self._tally.playing:
            self._cause, self._since = cause, _now()
            self._away = cause == SENT_AWAY

    def arrived(self) -> None:
        """Note that the player who was sent away has his next socket."""
        self._away = False

    def acknowledged(self) -> None:
        """End the interruption; an action that was under way when he was sent away only puts off its start."""
        if self._away:
            self._since = _now()
        elif self._cause:
            self._tally.interrupted(self._cause, _now() - self._since)
            self._cause = ""


def _now() -> float:
    return asyncio.get_running_loop().time()
