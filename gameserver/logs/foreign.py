"""Brings what libraries log (aiohttp, asyncio and all others that use `logging`) into our lines.

Law: one line a record, and of one kind (`repeats`) at the most one at a time: a client that sends malformed requests
costs a line now and then. Those have no traceback, since the fault is the client's, nor anything of what it sent, which
may hold a token; other errors have theirs.
"""

import logging

import structlog

LONGEST_TEXT = 300
"""Characters of a record's first line, of the others together, and of an error."""
MALFORMED = "aiohttp.http"
"""The modules whose errors say that what a client sent isn't HTTP."""
log = structlog.get_logger()


class ForeignRecords(logging.Handler):
    """Passes records on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises."""
        error = record.exc_info[1] if record.exc_info else None
        try:
            if error is not None and type(error).__module__.startswith(MALFORMED):
                remote = record.args[0] if isinstance(record.args, tuple) and record.args else None
                log.warning("malformed request", logger=record.name, remote=remote, kind=type(error).__name__)
            else:
                self._pass_on(record, error)
        except Exception:
            self.handleError(record)

    def _pass_on(self, record: logging.LogRecord, error: BaseException | None) -> None:
        first, _, rest = record.getMessage().partition("\n")
        fields = {"context": rest[:LONGEST_TEXT]} if rest else {}
        if error is not None:
            fields["error"] = _described(error)
        write = log.error if record.levelno >= logging.ERROR else log.warning
        write(first[:LONGEST_TEXT], logger=record.name, exc_info=error, **fields)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A record that can't be shown is dropped; the one of `logging` would write a traceback."""


def _described(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_TEXT]
