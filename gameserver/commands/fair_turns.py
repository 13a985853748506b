"""Turns at something scarce, shared fairly among the sources that want it.

A source is a path from the largest whole to the one who asks, such as a network and an address in it.

Law: at most `at_once` turns are under way, and of one network all but one, so that another's begins at once. The next
one goes to the network that has the fewest under way, among these to the one that has waited for longest since its last
turn ended; within it to an address by the same rule. So whoever asks rarely waits for the turns under way and for one
of each other network that waits, however many wait there. How many wait is bounded for each part of a path and in
total, and how long by `seconds`. Where no place is left in total, a source of a less crowded network takes the place of
the last one of the most crowded network.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gameserver.rules.errors import Overloaded

Source = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TurnBounds:
    """Turns under way; who may wait in total and at each part of a path; and seconds of waiting, at the most."""

    at_once: int
    waiting: int
    at_each: Sequence[int]
    seconds: float


@dataclass(slots=True)
class _Part:
    """What is known of a network, or of an address; `since` orders by when it came, or its last turn ended."""

    since: int
    under_way: int = 0
    waiting: int = 0


@dataclass(slots=True)
class _Line:
    """Those of one source who wait, and the parts of its path; it exists while one waits or has a turn."""

    parts: Sequence[_Part]
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def rank(self) -> list[tuple[int, int]]:
        return [(part.under_way, part.since) for part in self.parts]


class FairTurns:
    """One per resource, for one event loop."""

    def __init__(self, bounds: TurnBounds) -> None:
        self._bounds = bounds
        self._parts: dict[Source, _Part] = {}
        self._lines: dict[Source, _Line] = {}
        self._busy = self._waiting = 0
        self._counter = itertools.count()

    async def take(self, source: Source) -> None:
        """Waits for a turn, which `end` has to end. Raises Overloaded: then there is none."""
        line = self._line(source)
        if self._busy < self._bounds.at_once and not line.parts[-1].waiting and self._may_begin(line):
            self._begin(line)
            return
        self._admit(source, line)
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._queue(line, turn)
        timer = loop.call_later(self._bounds.seconds, self._refuse, source, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.end(source)
            raise
        finally:
            timer.cancel()
            self._leave(source, turn)

    def require_place(self, source: Source) -> None:
        """Raises Overloaded if the source has as many waiting as it may."""
        crowded = self._is_crowded(self._line(source))
        self._forget(source)
        if crowded:
            raise _overloaded()

    def waiting(self) -> list[Source]:
        """The sources of which somebody waits."""
        return [source for source, line in self._lines.items() if line.waiting]

    def end(self, source: Source) -> None:
        """Ends a turn of the source; others begin in its place."""
        for part in self._line(source).parts:
            part.under_way -= 1
            part.since = next(self._counter)
        self._forget(source)
        self._busy -= 1
        while self._busy < self._bounds.at_once:
            ready = [line for line in self._lines.values() if line.waiting and self._may_begin(line)]
            if not ready:
                return
            line = min(ready, key=_Line.rank)
            turn = line.waiting[0]
            self._remove(line, turn)
            if not turn.done():
                self._begin(line)
                turn.set_result(None)

    def _may_begin(self, line: _Line) -> bool:
        return line.parts[0].under_way < max(1, self._bounds.at_once - 1)

    def _is_crowded(self, line: _Line) -> bool:
        return any(part.waiting >= most for part, most in zip(line.parts, self._bounds.at_each, strict=False))

    def _begin(self, line: _Line) -> None:
        self._busy += 1
        for part in line.parts:
            part.under_way += 1

    def _admit(self, source: Source, line: _Line) -> None:
        """Makes sure that there is a place for one more of the source. Raises Overloaded."""
        crowded = self._is_crowded(line)
        if not crowded and self._waiting >= self._bounds.waiting:
            other, longest = max(self._lines.items(), key=lambda item: [part.waiting for part in item[1].parts])
            crowded = longest.parts[0].waiting <= line.parts[0].waiting + 1
            if not crowded:
                self._refuse(other, longest.waiting[-1])
        if crowded:
            self._forget(source)
            raise _overloaded()

    def _refuse(self, source: Source, turn: asyncio.Future[None]) -> None:
        self._leave(source, turn)
        if not turn.done():
            turn.set_exception(_overloaded())

    def _queue(self, line: _Line, turn: asyncio.Future[None]) -> None:
        line.waiting.append(turn)
        self._waiting += 1
        for part in line.parts:
            part.waiting += 1

    def _leave(self, source: Source, turn: asyncio.Future[None]) -> None:
        """Takes it out of its line, if it still waits there."""
        line = self._lines.get(source)
        if line is not None and turn in line.waiting:
            self._remove(line, turn)
        self._forget(source)

    def _remove(self, line: _Line, turn: asyncio.Future[None]) -> None:
        line.waiting.remove(turn)
        self._waiting -= 1
        for part in line.parts:
            part.waiting -= 1

    def _line(self, source: Source) -> _Line:
        line = self._lines.get(source)
        if line is None:
            paths = [source[: length + 1] for length in range(len(source))]
            parts = [self._parts.setdefault(path, _Part(next(self._counter))) for path in paths]
            line = self._lines[source] = _Line(parts)
        return line

    def _forget(self, source: Source) -> None:
        """Forgets what has nobody waiting and nothing under way."""
        line = self._lines.get(source)
        if line is None or line.waiting or line.parts[-1].under_way:
            return
        del self._lines[source]
        for length, part in enumerate(line.parts):
            if not part.waiting and not part.under_way:
                self._parts.pop(source[: length + 1], None)


def _overloaded() -> Overloaded:
    return Overloaded("Too many passwords are being checked.", retry_after=1)
