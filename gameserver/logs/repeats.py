"""Warnings that come again and again: told once, then with a count at growing intervals, and then their end.

Law: a kind of warning (its event, and the fields of KIND) is written when it comes first. While it goes on, a line
comes after 5 s, 10 s, 20 s and so on up to every 5 minutes, and says how often it came. When it has been quiet for 10
seconds its end is told, with how long it went on and how often it came. Errors of our own are never held back: each may
be the only trace of a failed request. Those of libraries (which have the field `logger`) are.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 300.0
QUIET_SECONDS = 10.0
KINDS = 500
"""How many kinds are remembered; the one that began first is forgotten for another."""
KIND = ("logger", "database", "what", "board", "move", "route", "method", "kind", "action", "address")
"""The fields that tell one kind from another, besides the event and the beginning of its error."""

Tell = Callable[[str, Mapping[str, Any]], None]
_Kind = tuple[object, ...]


@dataclass(slots=True)
class _Course:
    """A kind of warning that has come lately; times are of the monotonic clock."""

    event: str
    fields: Mapping[str, Any]
    began: float
    latest: float
    told: float
    interval: float
    times: int = 1
    untold: int = 0


class Repeats:
    """A processor of structlog. `tell` writes the line of an end."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._courses: dict[_Kind, _Course] = {}

    def __call__(self, _: object, level: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if level != "warning" and not (level == "error" and "logger" in event):
            return event
        kind, now = _kind_of(event), time.monotonic()
        course = self._courses.get(kind)
        if course is not None and now - course.latest > QUIET_SECONDS:
            self._end(kind, course)
            course = None
        if course is None:
            self._begin(kind, event, now)
            return event
        course.latest, course.times, course.untold = now, course.times + 1, course.untold + 1
        if now - course.told < course.interval:
            raise structlog.DropEvent
        event["times"], event["for_seconds"] = course.untold, round(now - course.told, 1)
        course.told, course.untold = now, 0
        course.interval = min(course.interval * 2, LONGEST_SECONDS)
        return event

    def _begin(self, kind: _Kind, event: structlog.typing.EventDict, now: float) -> None:
        if len(self._courses) >= KINDS:
            del self._courses[next(iter(self._courses))]
        fields = {name: event[name] for name in KIND if name in event}
        course = self._courses[kind] = _Course(str(event["event"]), fields, now, now, now, FIRST_SECONDS)
        self._look_later(kind, course, QUIET_SECONDS)

    def _look_later(self, kind: _Kind, course: _Course, seconds: float) -> None:
        """Without an event loop the end is told before the next line of its kind."""
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop().call_later(seconds, self._look, kind, course)

    def _look(self, kind: _Kind, course: _Course) -> None:
        if self._courses.get(kind) is not course:
            return
        quiet = time.monotonic() - course.latest
        if quiet < QUIET_SECONDS:
            self._look_later(kind, course, QUIET_SECONDS - quiet)
        else:
            self._end(kind, course)

    def _end(self, kind: _Kind, course: _Course) -> None:
        del self._courses[kind]
        if course.times > 1:
            seconds = round(course.latest - course.began, 1)
            self._tell("over", {"was": course.event, **course.fields, "times": course.times, "for_seconds": seconds})


def _kind_of(event: structlog.typing.EventDict) -> _Kind:
    """Of the error only what stands before its first colon: its type, where it has one."""
    fields = [str(event.get(name)) for name in KIND]
    return (event["event"], str(event.get("error", "")).partition(":")[0], *fields)
