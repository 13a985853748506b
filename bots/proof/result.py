"""The result of a run: the swarm's counters, the verdict on each bot, and on each board."""

from dataclasses import dataclass, field

from bots.count.document import VIOLATED, InvariantVerdict, Sighting
from bots.play.swarm import Swarm
from bots.proof import invariants
from bots.proof.boards import BoardVerdict
from bots.proof.invariants import Evidence
from bots.proof.letters import MailCounts
from bots.proof.players import PlayerVerdict
from bots.proof.spread import DatabaseShare


@dataclass(slots=True)
class RunResult:
    """The result of a run.

    `points` are the boards of points and the rewards; `findings` are what probes found, by invariant, and their faults;
    `sightings` are what a run should see now and then: one that was expected and never seen proves nothing.
    `failure` says why a proof wasn't carried out. Without an admin key `boards` is None and `spread` is empty.
    """

    swarm: Swarm
    verdicts: list[PlayerVerdict] = field(default_factory=list)
    boards: list[BoardVerdict] | None = None
    failure: str = ""
    mail: MailCounts = field(default_factory=MailCounts)
    spread: list[DatabaseShare] = field(default_factory=list)
    points: Evidence = field(default_factory=Evidence)
    findings: Evidence = field(default_factory=Evidence)
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every proof that was asked for has been carried out without a fault."""
        return (
            not self.failure
            and bool(self.verdicts)
            and not any(verdict.verdict == VIOLATED for verdict in self.invariants())
            and not any(sighting.expected and not sighting.seen for sighting in self.sightings)
        )

    def invariants(self) -> list[InvariantVerdict]:
        """Return the verdict on every invariant."""
        boards = {invariants.BOARDS: sum(board.entries for board in self.boards or ())}
        counters = [verdict.checked for verdict in self.verdicts]
        faults = [fault for verdict in self.verdicts for fault in verdict.faults()]
        faults += [difference for board in self.boards or () for difference in board.differences]
        checked = invariants.total([*counters, boards, self.points.checked, self.findings.checked])
        return invariants.verdicts(checked, [*faults, *self.points.faults, *self.findings.faults])
