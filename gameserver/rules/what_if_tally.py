"""What changed rules would have done to many players: sums over their courses, in bounded memory.

Law: a player is counted in the group of the class and level that it had at the beginning (at its sign-up, if that is
later). Only `most` of those whose EXP differ most are remembered themselves.
"""

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from gameserver.rules.what_if import AlteredCourse


class Shift(NamedTuple):
    """A player whom the changed rules would have brought elsewhere; ordered by how far."""

    by: int
    """EXP, whatever the direction."""
    player_id: int
    name: str
    class_name: str
    level: int
    level_changed: int
    exp: int
    exp_changed: int


@dataclass(slots=True)
class Sums:
    """Of players; each pair is as recorded, and as changed."""

    players: int = 0
    steps: int = 0
    refused: int = 0
    allowed: int = 0
    exp: tuple[int, int] = (0, 0)
    levels: tuple[int, int] = (0, 0)
    downs: tuple[int, int] = (0, 0)
    higher: int = 0
    lower: int = 0
    """Players whose level at the end is higher, or lower, than the recorded one."""

    def add(self, course: AlteredCourse) -> None:
        """Counts one player."""
        was, now = course.recorded, course.changed
        self.players += 1
        self.steps += course.steps
        self.refused += course.refused.total()
        self.allowed += course.allowed.total()
        self.exp = _added(self.exp, was.exp_gained, now.exp_gained)
        self.levels = _added(self.levels, was.levels_gained, now.levels_gained)
        self.downs = _added(self.downs, was.times_down, now.times_down)
        self.higher += now.player.level > was.player.level
        self.lower += now.player.level < was.player.level


def _added(pair: tuple[int, int], was: int, now: int) -> tuple[int, int]:
    return pair[0] + was, pair[1] + now


@dataclass(slots=True)
class WhatIfTally:
    """Sums of all players, and of each class and level."""

    most: int
    total: Sums = field(default_factory=Sums)
    groups: dict[tuple[str, int], Sums] = field(default_factory=dict)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    allowed: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: Counter[int | None] = field(default_factory=Counter)
    """How many actions and letters each rulebook made, by its number."""
    in_doubt: Counter[str] = field(default_factory=Counter)
    granted: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    taken: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    unknown: int = 0
    """Players that can't be followed: erased, or without a row that says what they were at the beginning."""
    _shifts: list[Shift] = field(default_factory=list)

    def add(self, course: AlteredCourse) -> None:
        """Counts one player, at the end of its course."""
        self.total.add(course)
        self.groups.setdefault((course.began.class_name, course.began.level), Sums()).add(course)
        self.refused.update(course.refused)
        self.allowed.update(course.allowed)
        self.rules.update(+course.rules)
        self.in_doubt.update(+course.in_doubt)
        for number, effects in enumerate((course.recorded, course.changed)):
            self.granted[number].update(effects.granted)
            self.taken[number].update(effects.taken)
        self._note(course)

    def _note(self, course: AlteredCourse) -> None:
        was, now = course.recorded.player, course.changed.player
        if was.exp == now.exp and was.level == now.level:
            return
        levels, exps = (was.level, now.level), (was.exp, now.exp)
        shift = Shift(abs(now.exp - was.exp), was.id, was.name, was.class_name, *levels, *exps)
        heapq.heappush(self._shifts, shift)
        if len(self._shifts) > self.most:
            heapq.heappop(self._shifts)

    def shifts(self) -> list[Shift]:
        """The players whose EXP differ most, from the farthest; none whose EXP and level are the same."""
        return sorted(self._shifts, reverse=True)
