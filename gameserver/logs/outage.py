"""Something that is away: its beginning, and its end with how long it was away and how often it was tried.

Law: a beginning is told at once, an end when SETTLED_SECONDS have passed without another failure: what fails and
answers by turns is one outage. In between nothing is written here; the warnings of those who need it are counted by
`repeats`.
"""

import asyncio
import time
from typing import Any

import structlog

SETTLED_SECONDS = 2.0
log = structlog.get_logger()


class Outage:
    """The outage of one thing, begun or not; `fields` name the thing on every line."""

    def __init__(self, begun: str, over: str, **fields: Any) -> None:
        """`begun` and `over` are the events that are logged."""
        self._begun, self._over, self._fields = begun, over, fields
        self._since: float | None = None
        self._times = 0
        self._ending: asyncio.TimerHandle | None = None
        self._error = ""

    @property
    def error(self) -> str | None:
        """What was wrong when it was last tried in vain; None if it isn't away as far as is known."""
        return None if self._since is None else self._error

    @property
    def lasts(self) -> bool:
        """Whether it is away as far as is known."""
        return self._since is not None

    def failed(self, error: str) -> None:
        """It was tried in vain."""
        self._times += 1
        self._error = error
        self._stay()
        if self._since is None:
            self._since = time.monotonic()
            log.error(self._begun, error=error, **self._fields)

    def answered(self) -> None:
        """It was tried with success. Costs nothing while it isn't away."""
        if self._since is not None and self._ending is None:
            self._ending = asyncio.get_running_loop().call_later(SETTLED_SECONDS, self._end, time.monotonic())

    def _stay(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _end(self, answered: float) -> None:
        since, times = self._since, self._times
        self._since, self._times, self._ending = None, 0, None
        if since is not None:
            log.info(self._over, for_seconds=round(answered - since, 1), times=times, **self._fields)
