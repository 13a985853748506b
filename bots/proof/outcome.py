"""How a run went: the swarm's counts, the verdict on each bot, and on each board."""

from dataclasses import dataclass, field

from bots.play.swarm import Swarm
from bots.proof.letters import Mail
from bots.proof.spread import Share
from bots.proof.standings import BoardVerdict
from bots.proof.verdict import Verdict


@dataclass(slots=True)
class Outcome:
    """What a run found.

    `failure` says why a proof wasn't carried out; `boards` is None if left out; `spread` is empty without an admin key.
    """

    swarm: Swarm
    verdicts: list[Verdict] = field(default_factory=list)
    boards: list[BoardVerdict] | None = None
    failure: str = ""
    mail: Mail = field(default_factory=Mail)
    spread: list[Share] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every proof that was asked for has been carried out and found no fault."""
        players = bool(self.verdicts) and all(verdict.clean() for verdict in self.verdicts)
        return not self.failure and players and not any(board.differences for board in self.boards or ())
