"""Delivers mail: applies each letter's rule to its recipient, and pushes the mail if the recipient is connected.

Law: a delivery is a command on the recipient's own group commit, under the mail id, which gives it the locks, the
ledger's deduplication and the fence. The recipient is pushed the mail before the letter leaves the outbox, so again
after a crash.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import orjson
import structlog

from gameserver.commands.accounts import Policy
from gameserver.commands.mail import shown
from gameserver.garbage import without_frames
from gameserver.rules.arguments import Arguments
from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import GameError, PlayerNotFound, Unavailable
from gameserver.rules.rulebook import MAIL
from gameserver.storage.ids import command_milliseconds, slot_of
from gameserver.storage.ledger.partitions import ensure_partitions
from gameserver.storage.mail.inbox import Mail
from gameserver.storage.mail.mailbag import LetterSettled, SentLetter
from gameserver.storage.mail.outbox import Ending
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.players import Players
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.rooms import LiveRoom
from gameserver.storage.slots.slot_map import Slots

log = structlog.get_logger()

ANY_EPOCH = (1 << 31) - 1
"""A letter arrives whatever sessions its recipient has."""
UNREAD = Arguments()
PARTITIONED_SECONDS = 600.0
"""How long a partition that was made for old letters is taken to be there: nodes drop old ones every hour."""

Push = tuple[int, Mail]
"""A recipient and its mail."""


class _Partitioned(NamedTuple):
    """From which Unix milliseconds on a ledger was given partitions here, and how long nobody looks again."""

    since: int
    until: float


@dataclass(slots=True)
class Postman:
    """One per node; the Deliverer of all mail."""

    players: Players
    live: LiveRoom
    rules: RulesInForce
    policy: Policy
    slots: Slots
    group: str = "players"
    _partitioned: dict[str, _Partitioned] = field(default_factory=dict)
    """By database."""

    @property
    def kinds(self) -> Sequence[str]:
        """Of the letters that it delivers: those of the rules in force."""
        return self.rules.rulebook.mail_kinds()

    async def deliver(self, letters: Sequence[SentLetter]) -> Sequence[Ending | None]:
        """As Deliverer says."""
        return [ending if isinstance(ending, Ending) else None for ending in await self.attempt(letters)]

    async def attempt(self, letters: Sequence[SentLetter]) -> Sequence[Ending | Exception]:
        """As `deliver`, with what is in the way of a letter that is to be tried again later."""
        # A letter may be older than the recipient's ledger.
        await self._make_partitions(letters)
        # Deliver all at once: group commit puts them into few transactions.
        deliveries = await asyncio.gather(*(self._deliver(letter) for letter in letters))
        # Push what has arrived, then let the courier remove the letters.
        pushes = [push for _, push in deliveries if push is not None]
        await self.live.mail.send([(player_id, shown(mail)) for player_id, mail in pushes])
        return [ending for ending, _ in deliveries]

    async def _deliver(self, letter: SentLetter) -> tuple[Ending | Exception, Push | None]:
        command = Command(letter.mail_id, letter.recipient, letter.kind, UNREAD, ANY_EPOCH, letter)
        try:
            receipt = await self.players.act(command)
        except LetterSettled as settled:
            return Ending(settled.refused), None
        except PlayerNotFound as error:
            return Ending(error.code), None  # a slot that the group doesn't have: no player can have this id
        except GameError as error:
            log.warning("letter not delivered yet", mail=command.id, to=letter.recipient, error=error.detail)
            return without_frames(error), None
        except Exception as error:
            log.exception("letter not delivered yet", mail=command.id, to=letter.recipient)
            return without_frames(error), None
        return Ending(), (letter.recipient, _mail(command.id, letter, receipt))

    async def _make_partitions(self, letters: Sequence[SentLetter]) -> None:
        """Makes the partitions that rows of letters from before the ledger's oldest partition go into."""
        now = self.policy.now()
        oldest = min(command_milliseconds(letter.command_id) for letter in letters)
        age = int(now.timestamp() * 1000) - oldest
        if age <= self.policy.window.back:
            return
        for database in self._owners(letters):
            known = self._partitioned.get(database.name)
            if known is None or known.since > oldest or known.until < time.monotonic():
                try:
                    with using(Purpose.UPKEEP):
                        await ensure_partitions(database, now, timedelta(milliseconds=age))
                    self._partitioned[database.name] = _Partitioned(oldest, time.monotonic() + PARTITIONED_SECONDS)
                except Unavailable as error:
                    log.warning("old letters not delivered yet", database=database.name, error=error.detail)

    def _owners(self, letters: Sequence[SentLetter]) -> set[Database]:
        slots = {slot_of(letter.recipient) for letter in letters}
        return {self.slots.owner(self.group, slot) for slot in slots if slot < self.slots.size(self.group)}


def _mail(mail_id: str, letter: SentLetter, receipt: Receipt) -> Mail:
    args = orjson.loads(letter.payload)
    return Mail(mail_id, letter.kind.removeprefix(MAIL), letter.player_id, args, receipt.events, letter.at)
