"""A plan of faults as its TOML file says it: what is done, to what, at which times or how often.

seed = 7

[[faults]]
kind = "kill"
target = "node"
at = 10                       # seconds after the play's begin; or a list of them

[[faults]]
kind = "freeze"
target = ["database", "redis"]    # one of them is drawn
every = 8                     # seconds from one to the next, in the mean; the gaps are drawn
from = 5
until = 50
seconds = [0.5, 3]            # how long; or one number
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

from bots.chaos.errors import BadPlanError

LASTING = ("freeze", "cut")
KINDS = ("kill", "restart", *LASTING, "drain", "move", "switchover")
SERVER_KINDS = ("node", "database", "replica", "member", "redis", "sentinel", "etcd", "haproxy", "receiver")
DEFAULT_TARGETS: Mapping[str, str] = {"drain": "node", "move": "players", "switchover": "database"}
LONGEST_SECONDS = 600.0
MOST_SLOTS = 1024
_KEYS = {"kind", "target", "at", "every", "from", "until", "seconds", "slots"}
_ONLY: Mapping[str, Sequence[str]] = {"seconds": LASTING, "slots": ("move",)}
"""The kinds of faults that alone have a use for a key."""
_WITH_EVERY = ("from", "until")


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One entry: either `times`, or one `every` so many seconds between `begins` and `ends` (None: to the play's end).

    `targets` are names or kinds of servers, of which one is drawn each time; of a move it is a group of slots.
    `seconds` is the shortest and longest time that a freeze or a cut lasts, `slots` how many a move takes.
    """

    kind: str
    targets: Sequence[str]
    times: Sequence[float]
    every: float | None
    begins: float
    ends: float | None
    seconds: tuple[float, float]
    slots: int

    @property
    def name(self) -> str:
        """What a report calls it."""
        *others, last = self.targets
        return f"a {self.kind} of {', '.join(others)} or {last}" if others else f"a {self.kind} of {last}"


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """All entries; `seed` is None when the file names none. `as_given` is the plan as TOML has it."""

    seed: int | None
    faults: Sequence[PlannedFault]
    as_given: Mapping[str, Any]


def read(file: Path) -> ChaosPlan:
    """Read a plan. Raises BadPlanError, whose text is one sentence."""
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise BadPlanError(f"The plan {file} can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise BadPlanError(f"The plan {file} isn't TOML: {error}.") from None
    return parse(found, str(file))


def parse(found: Mapping[str, Any], file: str) -> ChaosPlan:
    """The plan in parsed TOML. Raises BadPlanError."""
    faults, seed = found.get("faults"), found.get("seed")
    if unknown := found.keys() - {"seed", "faults"}:
        raise BadPlanError(f"{file}: {min(unknown)!r} isn't known; a plan has `seed` and [[faults]].")
    if not isinstance(faults, list) or not faults or not all(isinstance(fault, dict) for fault in faults):
        raise BadPlanError(f"{file}: it has no [[faults]].")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise BadPlanError(f"{file}: `seed` is a whole number.")
    return ChaosPlan(seed, [_Entry(file, number, fault).planned() for number, fault in enumerate(faults, 1)], found)


class _Entry:
    """One [[faults]], and where it stands, for the sentence about what is wrong with it."""

    def __init__(self, file: str, number: int, found: Mapping[str, Any]) -> None:
        self._place = f"{file}, fault {number}"
        self._found = found

    def planned(self) -> PlannedFault:
        """Raises BadPlanError."""
        if unknown := self._found.keys() - _KEYS:
            self._refuse(f"{min(unknown)!r} isn't known, only {', '.join(sorted(_KEYS))}")
        kind = self._found.get("kind")
        if kind not in KINDS:
            self._refuse(f"`kind` is one of {', '.join(KINDS)}, not {kind!r}")
        if ("at" in self._found) == ("every" in self._found):
            self._refuse("it has either `at` or `every`")
        for key in _WITH_EVERY:
            if key in self._found and "at" in self._found:
                self._refuse(f"`{key}` is for `every`, and it has `at`")
        for key, kinds in _ONLY.items():
            if key in self._found and kind not in kinds:
                self._refuse(f"`{key}` is for {' and '.join(kinds)}")
        return PlannedFault(
            kind=kind,
            targets=self._targets(kind),
            times=self._numbers("at", 0.0) if "at" in self._found else (),
            every=self._number("every", 0.1) if "every" in self._found else None,
            begins=self._number("from", 0.0, 0.0),
            ends=self._number("until", 0.1) if "until" in self._found else None,
            seconds=self._seconds(kind),
            slots=self._slots(),
        )

    def _targets(self, kind: str) -> Sequence[str]:
        found = self._found.get("target", DEFAULT_TARGETS.get(kind))
        targets = [found] if isinstance(found, str) else found
        if not isinstance(targets, list) or not targets or not all(isinstance(each, str) for each in targets):
            self._refuse("`target` is a server's name or kind, or a list of them")
        return targets

    def _seconds(self, kind: str) -> tuple[float, float]:
        if kind not in LASTING:
            return 0.0, 0.0
        values = self._numbers("seconds", 0.05, [2.0])
        if len(values) > 2 or values[0] > values[-1]:
            self._refuse("`seconds` is one number, or the least and the most of them")
        return values[0], values[-1]

    def _slots(self) -> int:
        count = self._number("slots", 1.0, 16.0)
        if not count.is_integer():
            self._refuse("`slots` is a whole number")
        return int(count)

    def _number(self, key: str, least: float, default: float | None = None) -> float:
        values = self._numbers(key, least, None if default is None else [default])
        if len(values) != 1:
            self._refuse(f"`{key}` is one number")
        return values[0]

    def _numbers(self, key: str, least: float, default: Sequence[float] | None = None) -> Sequence[float]:
        found = self._found.get(key, default)
        values = found if isinstance(found, list) else [found]
        if not values or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            self._refuse(f"`{key}` is a number")
        most = MOST_SLOTS if key == "slots" else LONGEST_SECONDS if key == "seconds" else 1e6
        if not all(least <= value <= most for value in values):
            self._refuse(f"`{key}` lies between {least:g} and {most:g}")
        return [float(value) for value in values]

    def _refuse(self, reason: str) -> Never:
        raise BadPlanError(f"{self._place}: {reason}.")
