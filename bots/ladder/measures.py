"""What a run on one rung measured: its figures while nothing was wrong, what the kills cost, and what held."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

from bots.chaos.nemesis import SKIPPED
from bots.count.document import HELD, VIOLATED, RunDocument, RunEvent, RunSecond
from bots.count.operations import OperationCounts
from bots.ladder.rungs import Rung
from bots.proof import invariants

SETTLING_SECONDS = 5
"""After a fault is over, before the seconds count as undisturbed again."""
SLACK_SECONDS = 0.2
"""By so much the planned moment of the longest wait may be wrong: histograms are exact to a hundredth."""
LOSSES = (invariants.KEPT, invariants.ONCE, invariants.SEEN)
FORMAT, VERSION = "heroledger-bots-ladder", 1


@dataclass(frozen=True, slots=True)
class KillFigures:
    """What one kill did: the longest time from an operation's planned moment to its answer, in seconds.

    `quiet_seconds` are whole seconds without any answer, `errors` the operations that never got one.
    """

    target: str
    longest_wait: float
    quiet_seconds: int
    errors: int
    note: str


@dataclass(frozen=True, slots=True)
class RungFigures:
    """Of one rung. `skipped` says why it wasn't run, and nothing else is filled in then.

    Times are in milliseconds, of undisturbed seconds; `stale_seconds` is the greatest age of a replica, None without
    one. Verdicts are those of a run's invariants.
    """

    rung: Rung
    skipped: str = ""
    per_second: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    kills: Sequence[KillFigures] = ()
    stale_seconds: float | None = None
    lost: str = ""
    ranking: str = ""
    names: str = ""
    fresh: str = ""
    document: RunDocument | None = None


def measured(rung: Rung, document: RunDocument, stale_seconds: float | None) -> RungFigures:
    """The figures of a rung's run."""
    calm = [second for second in document.seconds if _is_calm(document, second)]
    total = OperationCounts()
    for second in calm:
        total.add(second.counts.all())
    return RungFigures(
        rung=rung,
        per_second=median([second.counts.all().planned.count for second in calm]) if calm else 0.0,
        p50=total.service.at(50) * 1000,
        p99=total.service.at(99) * 1000,
        kills=[_kill(document, event) for event in document.events if event.kind == "kill"],
        stale_seconds=stale_seconds,
        lost=_worst(document, LOSSES),
        ranking=_worst(document, (invariants.BOARDS,)),
        names=_worst(document, (invariants.NAMES,)),
        fresh=_worst(document, (invariants.FRESH,)),
        document=document,
    )


def _is_calm(document: RunDocument, second: RunSecond) -> bool:
    """Neither warm-up, nor the last, which isn't whole, nor touched by a fault."""
    begins, ends = document.setup.warm_up_seconds, document.setup.seconds
    return max(begins, 1) <= second.at < ends - 1 and not any(_touched(second, event) for event in document.events)


def _touched(second: RunSecond, event: RunEvent) -> bool:
    """Whether the second lies beside the fault, or something answered in it was due before the fault was over."""
    if second.at <= event.at - 1 or event.note.startswith(SKIPPED):
        return False
    return min(second.at, second.at + 1 - second.counts.all().planned.longest()) < event.until + SETTLING_SECONDS


def _kill(document: RunDocument, event: RunEvent) -> KillFigures:
    if event.note.startswith(SKIPPED):
        return KillFigures(event.target, 0.0, 0, 0, event.note)
    later = [other.at for other in document.events if other.at > event.at]
    over = min([event.until + SETTLING_SECONDS, document.setup.seconds - 1, *later])
    window = [second for second in document.seconds if _cause(document.events, second) == event]
    counts = [second.counts.all() for second in window]
    answered = {second.at for second, each in zip(window, counts, strict=True) if each.planned.count}
    return KillFigures(
        target=event.target,
        longest_wait=max((each.planned.longest() for each in counts), default=0.0),
        quiet_seconds=sum(at not in answered for at in range(int(event.at), int(over))),
        errors=sum(each.errors.total() for each in counts),
        note=event.note,
    )


def _cause(events: Sequence[RunEvent], second: RunSecond) -> RunEvent | None:
    """Which fault the longest wait of a second is put down to.

    The first that began while it lasted; else the last before it.
    """
    due = second.at + 1 - second.counts.all().planned.longest()
    during = [event for event in events if due - SLACK_SECONDS <= event.at < second.at + 1]
    before = [event for event in events if event.at < due]
    return during[0] if during else before[-1] if before else None


def _worst(document: RunDocument, names: Sequence[str]) -> str:
    """The worst verdict on these invariants; empty if none of them was judged."""
    verdicts = [row.verdict for row in document.proof if row.invariant in names]
    order: Callable[[str], int] = [VIOLATED, HELD].index
    judged = [verdict for verdict in verdicts if verdict in (VIOLATED, HELD)]
    return min(judged, key=order) if judged else (verdicts[0] if verdicts else "")


def as_json(figures: Sequence[RungFigures], setup: Mapping[str, Any]) -> dict[str, Any]:
    """The whole ladder as JSON values, without the documents of its runs."""
    rungs = [asdict(replace(each, document=None)) for each in figures]
    return {"format": FORMAT, "version": VERSION, "setup": dict(setup), "rungs": rungs}
