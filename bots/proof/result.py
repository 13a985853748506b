"""The result of a run: the swarm's counters, the verdict on each bot, and on each board."""

from dataclasses import dataclass, field

from bots.play.swarm import Swarm
from bots.proof.boards import BoardVerdict
from bots.proof.letters import MailCounts
from bots.proof.players import PlayerVerdict
from bots.proof.spread import DatabaseShare


@dataclass(slots=True)
class RunResult:
    """The result of a run.

    `failure` says why a proof wasn't carried out. Without an admin key `boards` is None and `spread` is empty.
    """

    swarm: Swarm
    verdicts: list[PlayerVerdict] = field(default_factory=list)
    boards: list[BoardVerdict] | None = None
    failure: str = ""
    mail: MailCounts = field(default_factory=MailCounts)
    spread: list[DatabaseShare] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every proof that was asked for has been carried out without a fault."""
        players = bool(self.verdicts) and all(verdict.clean() for verdict in self.verdicts)
        return not self.failure and players and not any(board.differences for board in self.boards or ())
