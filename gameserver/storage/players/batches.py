"""Makes the batches of one database: what every batch of a node shares, in one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gameserver.rules.rulebook import Rulebook
from gameserver.storage.items.backlog import Backlog
from gameserver.storage.items.stacks import Stacks
from gameserver.storage.ledger.window import Window
from gameserver.storage.mail.bounds import LetterLimits
from gameserver.storage.players.batch import Batch
from gameserver.storage.players.command import Command
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons.scoring import Scoring
from gameserver.storage.slots.slot_map import Slots


class BatchTerms(NamedTuple):
    """What every batch of a node goes by: the rules, how old command ids may be, and what letters and scores are."""

    rulebook: Rulebook
    window: Window
    scoring: Scoring
    letters: LetterLimits


@dataclass(frozen=True, slots=True)
class BatchFactory:
    """Makes batches for one committer."""

    database: Database
    slots: Slots
    terms: BatchTerms
    backlog: Backlog

    def make(self, commands: Sequence[Command]) -> Batch:
        terms = self.terms
        stacks = Stacks(terms.rulebook.game.items, self._has_items, self._is_full)
        return Batch(terms.rulebook, terms.window, commands, stacks, terms.scoring, terms.letters)

    def _has_items(self, slot: int) -> bool:
        """Whether the node's map has the slot's items in this database; the database itself is asked under a fence."""
        return self.slots.owner("items", slot) is self.database

    def _is_full(self) -> bool:
        """Whether so many grants wait in the database's outbox that no more may be sent."""
        return self.backlog.is_full(self.database)
