"""Writes lines to a file descriptor, and never raises and never waits for long.

Law: what can't be written (a full disk, a pipe whose reader has gone or doesn't read) is dropped and counted, and the
process goes on. A line is one `write`, so lines of several processes that append to one file don't mix; the rest of a
line that was cut by a full disk is lost, and the next line begins on a line of its own. As soon as lines can be written
again, one tells how many are missing.
"""

import os
import select
import stat
from collections.abc import Callable

from gameserver.telemetry import LOG_LINES_DROPPED

READER_MILLISECONDS = 20
"""How long a line may wait for a reader that is behind; after that none waits until the reader has caught up."""
AT_A_TIME = 4096
"""What a pipe that is ready surely takes without blocking (PIPE_BUF)."""


class LineWriter:
    """What structlog calls a logger, over a file descriptor: every method takes one line without its end."""

    def __init__(self, descriptor: int, told: Callable[[int], str]) -> None:
        """`told` makes the line that reports how many were dropped."""
        self._descriptor = descriptor
        self._told = told
        self._dropped = 0
        self._torn = False
        self._patience = READER_MILLISECONDS
        self._waits = _can_block(descriptor)

    def msg(self, line: str) -> None:
        """Writes a line, or drops it."""
        if self._dropped and self._write(self._told(self._dropped)):
            self._dropped = 0
        if self._dropped or not self._write(line):
            self._dropped += 1
            LOG_LINES_DROPPED.inc()

    log = debug = info = warning = warn = error = critical = exception = fatal = failure = msg

    def _write(self, line: str) -> bool:
        rest = ("\n" * self._torn + line + "\n").encode("utf-8", "replace")
        try:
            while rest:
                if self._waits and not self._is_ready():
                    return False
                written = os.write(self._descriptor, rest[:AT_A_TIME] if self._waits else rest)
                rest, self._torn = rest[written:], written < len(rest)
        except OSError:
            return False
        return True

    def _is_ready(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        ready = bool(poll.poll(self._patience))
        self._patience = READER_MILLISECONDS if ready else 0
        return ready


def _can_block(descriptor: int) -> bool:
    """Whether somebody reads what is written there: a pipe, a socket or a terminal."""
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
