"""A command that waits for its verdict, wherever it waits."""

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from gameserver.rules.errors import DatabaseUnavailable, GameError, OutcomeUnknown
from gameserver.storage.items.stacks import Unpaid
from gameserver.storage.mail.mailbag import LetterSettled
from gameserver.storage.players.command import Command, Receipt


class CommitLimits(NamedTuple):
    """Of group commit: players in a batch, batches in flight, commands queued; the others are seconds."""

    players: int
    in_flight: int
    queue: int
    deadline: float
    transaction: float


@dataclass(slots=True)
class Pending:
    command: Command
    verdict: asyncio.Future[Receipt]
    deadline: float
    unsure: bool = False
    """Whether a transaction that held it may have committed unseen."""
    moved: bool = False
    """Whether the database that it was brought to doesn't own the player's slot."""
    answered: bool = False
    """Whether it has had its verdict, which a caller who has left doesn't hear."""

    def answer(self, verdict: Receipt | GameError | Unpaid | LetterSettled) -> None:
        """Tells the caller, if he still listens."""
        self.answered = True
        if self.verdict.done():
            return
        if isinstance(verdict, Receipt):
            self.verdict.set_result(verdict)
        else:
            self.verdict.set_exception(verdict)

    def unknown(self) -> GameError:
        return OutcomeUnknown("Whether the command took effect isn't known yet: send it again.", retry_after=1)

    def too_late(self) -> GameError:
        """What to answer at the deadline."""
        if self.unsure:
            return self.unknown()
        return DatabaseUnavailable("The command could not be committed in time.", retry_after=1)
