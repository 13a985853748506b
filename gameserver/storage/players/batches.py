"""Makes the batches of one database: what every batch of a node shares, in one place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from gameserver.rules.editions import RulesInForce
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.items.backlog import Backlog
from gameserver.storage.items.stacks import Stacks
from gameserver.storage.ledger.window import Window
from gameserver.storage.mail.bounds import LetterLimits
from gameserver.storage.players.batch import Batch
from gameserver.storage.players.command import Command
from gameserver.storage.players.judging import Judging
from gameserver.storage.players.rule_time import RuleTime
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons.calendar import Calendar
from gameserver.storage.slots.slot_map import Slots


class BatchTerms(NamedTuple):
    """What every batch of a node goes by: the rules, how old command ids may be, boards' seasons, bounds of letters."""

    rules: RulesInForce
    window: Window
    calendar: Calendar
    letters: LetterLimits


@dataclass(slots=True)
class BatchFactory:
    """Makes batches for one committer."""

    database: Database
    slots: Slots
    terms: BatchTerms
    backlog: Backlog
    longest_rule: float
    """Seconds."""
    _judging: Judging = field(init=False)

    def __post_init__(self) -> None:
        self._judging = Judging(self.terms.rules, self.terms.calendar, self._stacks)

    def make(self, commands: Sequence[Command]) -> Batch:
        letters, time = self.terms.letters, RuleTime(self.longest_rule)
        return Batch(self._judging, self.terms.window, commands, letters, time, self._is_full("players"))

    def _stacks(self, rulebook: Rulebook) -> Stacks:
        return Stacks(rulebook.game.items, self._has_items, self._is_full("items"))

    def _has_items(self, slot: int) -> bool:
        """Whether the node's map has the slot's items in this database; the database itself is asked under a fence."""
        return self.slots.owner("items", slot) is self.database

    def _is_full(self, group: str) -> Callable[[int], bool]:
        """Whether so much waits in the database's outbox for the owner of a slot that no more may be sent there."""
        return partial(self.backlog.is_full, self.database, group)
