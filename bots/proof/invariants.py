"""The invariants that a run must show, by name, and the faults that break them. Pure.

Law: an invariant is violated if one fault breaks it, held if something was checked and no fault was found, and not
checked otherwise. A violation shows its smallest story: the fault with the fewest lines.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bots.count.document import HELD, NOT_CHECKED, VIOLATED, InvariantVerdict

KEPT = "acknowledged commands are kept"
ONCE = "a command takes effect once"
ANSWERS = "the ledger has what was answered"
CHAIN = "versions form one chain"
STATE = "the state is the ledger's last"
REFUSED = "a refused command never takes effect"
ORDER = "commands take effect in their order"
FRESH = "no read is older than what was seen"
SEEN = "what was seen is not lost"
LETTERS = "a letter ends once"
ITEMS = "items add up"
PUSHES = "pushes come in order and without gaps"
BOARDS = "boards equal the databases"
POINTS = "boards of points equal the ledgers"
REWARDS = "a season rewards each rank once"
NAMES = "a name has one holder"
BANS = "who is banned or deleted is gone"
SESSIONS = "an ended session changes nothing"
CONTRACT = "answers keep the contract"

ALL = (
    KEPT, ONCE, ANSWERS, CHAIN, STATE, REFUSED, ORDER, FRESH, SEEN, LETTERS, ITEMS, PUSHES, BOARDS, POINTS, REWARDS,
    NAMES, BANS, SESSIONS, CONTRACT,
)  # fmt: skip
SHOWN = 3
"""How many faults of one invariant a report tells."""


class Fault(str):
    """A sentence that shows a fault, the invariant that it breaks, and further lines of its story."""

    __slots__ = ("invariant", "lines")
    invariant: str
    lines: tuple[str, ...]

    def __new__(cls, invariant: str, sentence: str, lines: Iterable[str] = ()) -> "Fault":
        """Make a fault; `lines` are what led to it, in their order."""
        fault = super().__new__(cls, sentence)
        fault.invariant, fault.lines = invariant, tuple(lines)
        return fault


@dataclass(slots=True)
class Evidence:
    """How many things were compared, by invariant, and the faults."""

    checked: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    def add(self, other: "Evidence") -> None:
        """Take in more of it."""
        self.checked.update(other.checked)
        self.faults += other.faults


def verdicts(checked: Mapping[str, int], faults: Iterable[str]) -> list[InvariantVerdict]:
    """Judge every invariant; a sentence that isn't a Fault breaks CONTRACT."""
    by_invariant: dict[str, list[str]] = {}
    for fault in faults:
        by_invariant.setdefault(fault.invariant if isinstance(fault, Fault) else CONTRACT, []).append(fault)
    return [_verdict(name, checked.get(name, 0), by_invariant.get(name, [])) for name in ALL]


def _verdict(name: str, checked: int, faults: list[str]) -> InvariantVerdict:
    if not faults:
        return InvariantVerdict(name, HELD if checked else NOT_CHECKED, checked)
    shortest = sorted(faults, key=lambda fault: len(fault.lines) if isinstance(fault, Fault) else 0)
    story = [line for fault in shortest[:SHOWN] for line in _story(fault)]
    if (more := len(faults) - SHOWN) > 0:
        story.append(f"and {more} more")
    return InvariantVerdict(name, VIOLATED, max(checked, len(faults)), tuple(story))


def _story(fault: str) -> list[str]:
    return [str(fault), *(f"  {line}" for line in fault.lines)] if isinstance(fault, Fault) else [fault]


def total(counters: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Add up what was checked."""
    sums: Counter[str] = Counter()
    for counter in counters:
        sums.update(counter)
    return sums
