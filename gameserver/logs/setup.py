"""Sets up the logs of a process: one JSON object per line on stderr, or coloured lines on a terminal."""

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

import structlog

from gameserver.logs.foreign import ForeignRecords
from gameserver.logs.lines import LineWriter
from gameserver.logs.repeats import Repeats
from gameserver.telemetry import LOG_LINES_DROPPED, request_id

STDERR = 2


def set_up_logs(level: str, node: str | None = None, descriptor: int = STDERR) -> None:
    """Our own lines and those of libraries; `node` stands on each. No log call raises from here on."""
    human = sys.stderr.isatty()
    number = getattr(logging, level.upper())
    writer = LineWriter(descriptor, lambda lines: json.dumps({"event": "lines couldn't be written", "lines": lines}))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            Repeats(_tell),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Named(node),
            *([] if human else [structlog.processors.format_exc_info]),
            console_lines() if human else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=_unfailing(number),
        logger_factory=lambda *_: writer,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[ForeignRecords()], level=max(number, logging.WARNING), force=True)


def console_lines() -> structlog.dev.ConsoleRenderer:
    """Lines for people; tracebacks are plain, since showing all local variables blocked the event loop for a second."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _unfailing(level: int) -> type[structlog.typing.FilteringBoundLogger]:
    """A logger whose calls never raise: a line that can't even be made is dropped and counted."""
    base: Any = structlog.make_filtering_bound_logger(level)

    class Unfailing(base):  # type: ignore[misc]
        def _proxy_to_logger(self, *args: Any, **fields: Any) -> None:
            try:
                super()._proxy_to_logger(*args, **fields)
            except Exception:
                LOG_LINES_DROPPED.inc()

    return Unfailing


def _tell(event: str, fields: Mapping[str, Any]) -> None:
    structlog.get_logger().info(event, **fields)


class _Named:
    """A processor that adds which node and which request a line is about."""

    def __init__(self, node: str | None) -> None:
        self._node = node

    def __call__(self, _: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if self._node is not None:
            event.setdefault("node", self._node)
        if current := request_id.get():
            event.setdefault("request_id", current)
        return event
