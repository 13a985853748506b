"""A command that waits for its answer, in whichever queue it is."""

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from gameserver.rules.errors import DatabaseUnavailable, GameError, OutcomeUnknown, Overloaded
from gameserver.storage.players.command import Answer, Command, Receipt


class CommitLimits(NamedTuple):
    """Bounds of group commit: players per batch, batches in flight, commands queued; the others are seconds."""

    players: int
    in_flight: int
    queue: int
    deadline: float
    transaction: float


@dataclass(slots=True)
class Pending:
    """A command, the future that its caller awaits, and its deadline by the monotonic clock."""

    command: Command
    future: asyncio.Future[Receipt]
    deadline: float
    unsure: bool = False
    """Whether a transaction that held the command may have committed unseen."""
    moved: bool = False
    """Whether the database that it was brought to doesn't own the player's slot."""
    answered: bool = False
    """Whether it has had its answer, also when the caller no longer waits for it."""

    def answer(self, answer: Answer) -> None:
        """Gives the caller its answer, if it still waits."""
        self.answered = True
        if self.future.done():
            return
        if isinstance(answer, Receipt):
            self.future.set_result(answer)
        else:
            self.future.set_exception(answer)


def ended(pending: Pending, error: GameError) -> GameError:
    """The answer to a command that nothing will try again: the error, unless it may have taken effect."""
    if pending.unsure:
        return OutcomeUnknown("Whether the command took effect isn't known yet: send it again.", retry_after=1)
    return error


def too_late(pending: Pending) -> GameError:
    """The answer at the command's deadline, or when its transaction is given up."""
    return ended(pending, DatabaseUnavailable("The command could not be committed in time.", retry_after=1))


def queue_full() -> GameError:
    """The answer when no more commands may be queued."""
    return Overloaded("Too many commands are waiting.", retry_after=1)


def stopping(pending: Pending) -> GameError:
    """The answer to a command that is still queued when the node stops."""
    return ended(pending, Overloaded("The node is stopping.", retry_after=1))
