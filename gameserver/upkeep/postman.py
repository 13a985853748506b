"""Delivers mail: applies each letter's rule to its recipient, and tells him if he is connected.

A delivery is a command on the recipient's own group commit, under the mail id: that gives it the locks, the ledger's
dedupe and the fence. He is told before the letter leaves the outbox, so again after a crash; what Redis couldn't take
is told when it is back, unless this node has died by then, and lies in his inbox anyway.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import orjson
import structlog

from gameserver.commands.accounts import Policy
from gameserver.commands.mail import shown
from gameserver.rules.arguments import Arguments
from gameserver.rules.errors import GameError, PlayerNotFound, PresenceUnavailable, Unavailable
from gameserver.rules.rulebook import MAIL, Rulebook
from gameserver.storage.ids import command_milliseconds, slot_of
from gameserver.storage.ledger.partitions import ensure_partitions
from gameserver.storage.live.presence import KEPT
from gameserver.storage.mail.inbox import Mail
from gameserver.storage.mail.mailbag import LetterSettled, SentLetter
from gameserver.storage.mail.outbox import Ending
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.players import Players
from gameserver.storage.postgres.database import Database
from gameserver.storage.rooms import LiveRoom
from gameserver.storage.slots.slot_map import Slots

log = structlog.get_logger()

ANY_EPOCH = (1 << 31) - 1
"""No session has to be alive for a letter to arrive."""
UNREAD = Arguments()
UNTOLD = 10_000
"""Pushes that wait for Redis, at the most; the oldest go."""
RETRY_SECONDS = 1.0

Told = tuple[int, Mail]


@dataclass(slots=True)
class Postman:
    """One per node; the Deliverer of all mail."""

    players: Players
    live: LiveRoom
    rulebook: Rulebook
    policy: Policy
    slots: Slots
    group: str = "players"
    kinds: Sequence[str] = field(init=False)
    _untold: deque[Told] = field(default_factory=lambda: deque(maxlen=UNTOLD))
    _room: dict[str, int] = field(default_factory=dict)
    """How far back each database's ledger has been given partitions, in Unix milliseconds."""

    def __post_init__(self) -> None:
        self.kinds = self.rulebook.mail_kinds()

    async def deliver(self, letters: Sequence[SentLetter]) -> Sequence[Ending | None]:
        """As Deliverer says."""
        await self._make_room(letters)
        found = await asyncio.gather(*(self._deliver(each) for each in letters))
        await self._tell([told for _, told in found if told is not None])
        return [ending for ending, _ in found]

    async def _deliver(self, letter: SentLetter) -> tuple[Ending | None, Told | None]:
        command = Command(letter.mail_id, letter.recipient, letter.kind, UNREAD, ANY_EPOCH, letter)
        try:
            receipt = await self.players.act(command)
        except LetterSettled as settled:
            return Ending(settled.refused), None
        except PlayerNotFound as error:
            return Ending(error.code), None  # an id of a slot that the group hasn't: nobody will ever have it
        except GameError as error:
            log.info("a letter waits", mail=command.id, to=letter.recipient, error=error.detail)
            return None, None
        return Ending(), (letter.recipient, _mail(command.id, letter, receipt))

    async def _make_room(self, letters: Sequence[SentLetter]) -> None:
        """Gives a ledger that is younger than a letter the partition that its row goes into."""
        now = self.policy.now()
        oldest = min(command_milliseconds(each.command_id) for each in letters)
        age = int(now.timestamp() * 1000) - oldest
        if age <= self.policy.window.back:
            return
        for home in self._homes(letters):
            if self._room.get(home.name, oldest + 1) > oldest:
                try:
                    await ensure_partitions(home, now, timedelta(milliseconds=age))
                    self._room[home.name] = oldest
                except Unavailable as error:
                    log.warning("old letters wait", database=home.name, error=error.detail)

    def _homes(self, letters: Sequence[SentLetter]) -> set[Database]:
        slots = {slot_of(each.recipient) for each in letters}
        return {self.slots.owner(self.group, slot) for slot in slots if slot < self.slots.size(self.group)}

    async def _tell(self, told: Sequence[Told]) -> None:
        waiting = [*self._untold, *told]
        if not waiting:
            return
        self._untold.clear()
        try:
            numbers = await self.live.pushes.keep_many(
                "mail", [(player_id, shown(mail)) for player_id, mail in waiting]
            )
            ids = [player_id for player_id, _ in waiting]
            await self.live.presence.announce(KEPT, list(zip(ids, numbers, strict=True)))
        except PresenceUnavailable as error:
            self._untold.extend(waiting)
            log.warning("mail is told when Redis is back", letters=len(self._untold), error=error.detail)

    async def tell_for_ever(self) -> None:
        """Tells what couldn't be told, as soon as it can."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            await self._tell([])


def _mail(mail_id: str, letter: SentLetter, receipt: Receipt) -> Mail:
    args = orjson.loads(letter.payload)
    return Mail(mail_id, letter.kind.removeprefix(MAIL), letter.player_id, args, receipt.events, letter.at)
