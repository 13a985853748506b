"""The document of a run, which `bots run --json FILE` writes and every report is made from.

Law: all of it adds up. The totals are the sum of the seconds after the warm-up, and the documents of several
generators of one run add up to one (bots/count/merging.py).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self, get_origin

from bots.count.operations import RunCounts

FORMAT, VERSION = "heroledger-bots-run", 1
HELD, VIOLATED, NOT_CHECKED = "held", "violated", "not checked"
"""Verdicts on an invariant."""
NUMBERS, LARGEST = (int, float), 1e9
CARRIED_OUT = "the proof was carried out"
"""Stands among the invariants, not checked, where that isn't so; its story says why."""


class BadDocumentError(ValueError):
    """A file isn't the document of a run, or is one of another version; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class RunSetup:
    """What was run, and where: enough to run it again.

    `plan` and `arguments` are as the user gave them; `versions` and `machine` are facts by name. `started` is ISO 8601
    in UTC; what begins before `warm_up_seconds` isn't in the totals. `faults` is the plan of faults with the seed from
    which they were drawn, empty without one.
    """

    seed: int
    plan: Mapping[str, Any]
    urls: tuple[str, ...]
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    started: str
    seconds: float
    warm_up_seconds: float
    arguments: tuple[str, ...]
    faults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSecond:
    """What was answered from `at` to `at` + 1 seconds after the start of the play."""

    at: int
    counts: RunCounts

    def as_json(self) -> dict[str, Any]:
        """Return the second as JSON values."""
        return {"at": self.at, **self.counts.as_json()}


@dataclass(frozen=True, slots=True)
class DurationSpread:
    """Some durations of one second: median, 99th percentile and longest, in microseconds."""

    p50: int
    p99: int
    max: int


@dataclass(frozen=True, slots=True)
class GeneratorSecond:
    """The generator's own health in one second.

    `lateness_us` is how long after its due time an operation was looked at, for no reason but the generator's;
    `loop_lag_us` how much longer than it asked for a sleep of the event loop took; `cpu` the share of one core that
    the process used. `process` numbers the generators of a run.
    """

    at: int
    lateness_us: DurationSpread
    loop_lag_us: DurationSpread
    cpu: float
    connected: int
    process: int = 0


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What was done to the servers from `at` to `until`, in seconds after the start: a kill, a drain, a move."""

    at: float
    until: float
    kind: str
    target: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class InvariantVerdict:
    """One invariant: HELD, VIOLATED or NOT_CHECKED, over so many things; `story` shows a violation, line by line."""

    invariant: str
    verdict: str
    checked: int
    story: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that a run should see now and then, such as a retry.

    A run that never saw what was `expected` isn't proved. What a plan of faults names is `planned`: a machine may not
    allow it, so a run that never saw it says so, and is proved.
    """

    name: str
    seen: int
    expected: bool
    planned: bool = False


@dataclass(slots=True)
class RunDocument:
    """A whole run; `void` says why its figures count for nothing, or is None."""

    setup: RunSetup
    seconds: list[RunSecond] = field(default_factory=list)
    generator: list[GeneratorSecond] = field(default_factory=list)
    events: list[RunEvent] = field(default_factory=list)
    proof: list[InvariantVerdict] = field(default_factory=list)
    sometimes: list[Sighting] = field(default_factory=list)
    void: str | None = None

    def totals(self) -> RunCounts:
        """Return the sum of the seconds after the warm-up."""
        totals = RunCounts()
        for second in self.seconds:
            if second.at >= self.setup.warm_up_seconds:
                totals.add(second.counts)
        return totals

    def why_not_proved(self) -> str:
        """Say in a line what was violated, never seen or not carried out, "" if the run is proved."""
        if violated := [row.invariant for row in self.proof if row.verdict == VIOLATED]:
            return f"violated: {', '.join(violated)}"
        if unseen := [seen.name for seen in self.sometimes if seen.expected and not seen.seen]:
            return f"never seen: {', '.join(unseen)}"
        if failures := [row.story for row in self.proof if row.invariant == CARRIED_OUT]:
            return next((story[0] for story in failures if story), "the proof wasn't carried out")
        return "" if any(row.verdict == HELD for row in self.proof) else "nothing could be compared"

    def measured_seconds(self) -> float:
        """How long the totals were counted: whole seconds are left out."""
        return max(self.setup.seconds - math.ceil(self.setup.warm_up_seconds), 1e-3)

    def as_json(self) -> dict[str, Any]:
        """Return the document as JSON values."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "setup": asdict(self.setup),
            "seconds": [second.as_json() for second in self.seconds],
            "totals": self.totals().as_json(),
            "generator": [asdict(second) for second in self.generator],
            "events": [asdict(event) for event in self.events],
            "proof": [asdict(verdict) for verdict in self.proof],
            "sometimes": [asdict(sighting) for sighting in self.sometimes],
            "void": self.void,
        }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read what `as_json` returned; fields that it doesn't know are ignored. Raises BadDocumentError."""
        if not isinstance(value, Mapping) or value.get("format") != FORMAT:
            raise BadDocumentError("this isn't the document of a run: `bots run --json FILE` writes one")
        if value.get("version") != VERSION:
            raise BadDocumentError(f"this document is of version {value.get('version')!r}, known is {VERSION}")
        try:
            return cls(
                setup=_setup(value["setup"]),
                seconds=[run_second(second) for second in value["seconds"]],
                generator=[generator_second(second) for second in value["generator"]],
                events=[_known(RunEvent, event) for event in value["events"]],
                proof=[_proved(row) for row in value["proof"]],
                sometimes=[_known(Sighting, sighting) for sighting in value["sometimes"]],
                void=None if value["void"] is None else str(value["void"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadDocumentError(f"this document of a run is garbled: {type(error).__name__} {error}") from error


def _known(kind: Any, value: Mapping[str, Any]) -> Any:
    """Make a dataclass of the fields that it has; raises TypeError for one of another type."""
    found = {name: value[name] for name in kind.__dataclass_fields__ if name in value}
    for name, given in found.items():
        wanted = get_origin(kind.__dataclass_fields__[name].type) or kind.__dataclass_fields__[name].type
        if isinstance(given, bool) != (wanted is bool) or not isinstance(given, NUMBERS if wanted is float else wanted):
            raise TypeError(f"{name!r} is {given!r:.80}")
        if wanted is float and not abs(given) <= LARGEST:
            raise ValueError(f"{name!r} is {given!r}")
    return kind(**found)


def _setup(value: Mapping[str, Any]) -> RunSetup:
    tuples = {name: tuple(map(str, value[name])) for name in ("urls", "arguments")}
    setup: RunSetup = _known(RunSetup, {**value, **tuples})
    if datetime.fromisoformat(setup.started).tzinfo is None:
        raise ValueError(f"'started' is {setup.started!r}, which says no zone")
    return setup


def _proved(value: Mapping[str, Any]) -> InvariantVerdict:
    row: InvariantVerdict = _known(InvariantVerdict, {**value, "story": tuple(map(str, value["story"]))})
    if row.verdict not in (HELD, VIOLATED, NOT_CHECKED):
        raise ValueError(f"'verdict' is {row.verdict!r:.80}")
    return row


def run_second(value: Mapping[str, Any]) -> RunSecond:
    """Read a second; raises ValueError, KeyError or TypeError."""
    second: RunSecond = _known(RunSecond, {"at": value["at"], "counts": RunCounts.from_json(value)})
    if not 0 <= second.at <= LARGEST:
        raise ValueError(f"'at' is {second.at!r}")
    return second


def generator_second(value: Mapping[str, Any]) -> GeneratorSecond:
    """Read a second of a generator; raises KeyError or TypeError."""
    spreads = {name: _known(DurationSpread, value[name]) for name in ("lateness_us", "loop_lag_us")}
    second: GeneratorSecond = _known(GeneratorSecond, {**value, **spreads})
    return second
