"""Delivers what lies in one database's outbox: one node at a time, by a lock in that database.

Law: a row leaves the outbox only after its deliverer has said that it took effect for good, or that it never will; in
the latter case the same statement returns it as a letter to its sender. So a courier that is killed, that freezes, or
of which there are two, delivers a letter again at worst, which changes nothing where it has arrived. Each destination
has a lane of its own: one that is away holds up no other. What a delivery does is decided above storage (`Deliverer`):
letters are commands of their recipients.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import asyncpg
import structlog

from gameserver.rules.rulebook import MAIL
from gameserver.storage.mail.mailbag import SentLetter
from gameserver.storage.mail.outbox import Ending, Outbox
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import LOST
from gameserver.storage.postgres.link import Link
from gameserver.storage.postgres.locks import CARRYING
from gameserver.storage.postgres.patience import TRANSACTION
from gameserver.storage.postgres.sole_locks import SoleLock
from gameserver.storage.slots.attendance import attend
from gameserver.storage.slots.slot_map import Slots
from gameserver.telemetry import MAIL_OLDEST, MAIL_SETTLED, MAIL_WAITING
from gameserver.waiting import Bell, wait_at_most

log = structlog.get_logger()

LOOK_SECONDS = 0.05
"""How often a courier checks whether another node has put something into the outbox."""
POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5
LONGEST_PAUSE = 5.0
MEASURE_SECONDS = 2.0
SETTINGS = {
    "enable_seqscan": "off",
    "lock_timeout": "3000",
    "statement_timeout": "5000",
    "idle_session_timeout": "10000",
    TRANSACTION: "10000",
}
"""In milliseconds; the last two free the lock of a node that froze."""
GIVEN_UP = (*LOST, asyncpg.PostgresError)


class Deliverer(Protocol):
    """Makes letters of certain kinds take effect."""

    group: str
    """The table group in whose slots the recipients live."""

    @property
    def kinds(self) -> Sequence[str]:
        """Of its letters, in the outbox."""

    async def deliver(self, letters: Sequence[SentLetter]) -> Sequence[Ending | None]:
        """For each letter how it ended, or None to try it again later. A letter that has ended may come again."""


class Courier:
    """Empties one database's outbox; `posted` rings when something may have been put into it."""

    def __init__(self, database: Database, slots: Slots, deliverers: Sequence[Deliverer], posted: Bell) -> None:
        self._database = database
        self._slots = slots
        self._deliverers = deliverers
        self._posted = posted
        self._lock = SoleLock(CARRYING)

    async def run(self) -> None:
        """Works until cancelled, through lost connections and locks."""
        link = Link(self._database, SETTINGS)
        try:
            while True:
                try:
                    await self._serve(await link.open())
                except* GIVEN_UP as errors:
                    log.warning(
                        "the outbox isn't emptied", database=self._database.name, errors=list(map(repr, leaves(errors)))
                    )
                    link.drop()
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            await link.close()

    async def _serve(self, connection: asyncpg.Connection) -> None:
        """Empties the outbox while it holds the lock; returns when another node does."""
        if not await self._lock.take(connection):
            return
        outbox = Outbox(connection)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._measure(outbox))
                group.create_task(self._watch(outbox))
                for deliverer in self._deliverers:
                    group.create_task(self._carry(outbox, deliverer))
        finally:
            MAIL_WAITING.labels(self._database.name).set(0)
            MAIL_OLDEST.labels(self._database.name).set(0)

    async def _carry(self, outbox: Outbox, deliverer: Deliverer) -> None:
        await attend(
            self._slots,
            deliverer.group,
            lambda destination: Lane(outbox, deliverer, self._slots, destination, self._posted).run(),
        )

    async def _watch(self, outbox: Outbox) -> None:
        """Rings for what other nodes have put into the outbox."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not await outbox.is_empty():
                self._posted.ring()

    async def _measure(self, outbox: Outbox) -> None:
        while True:
            waiting, oldest = await outbox.waiting()
            MAIL_WAITING.labels(self._database.name).set(waiting)
            MAIL_OLDEST.labels(self._database.name).set(oldest)
            await asyncio.sleep(MEASURE_SECONDS)


class Lane:
    """Carries the letters of one deliverer to one destination, chunk by chunk."""

    def __init__(self, outbox: Outbox, deliverer: Deliverer, slots: Slots, destination: Database, posted: Bell) -> None:
        self._outbox = outbox
        self._deliverer = deliverer
        self._slots = slots
        self._destination = destination
        self._posted = posted

    async def run(self) -> None:
        pause = RETRY_SECONDS
        while True:
            # Take the bell before looking, so that a ring in between isn't missed.
            posted = self._posted.next()
            letters = await self._read()
            if not letters:
                await wait_at_most(posted, POLL_SECONDS)
            elif await self._carry(letters):
                pause = RETRY_SECONDS
            else:
                log.warning(
                    "letters wait", to=self._destination.name, kinds=self._deliverer.kinds, letters=len(letters)
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _read(self) -> list[SentLetter]:
        group, name = self._deliverer.group, self._destination.name
        last = self._slots.size(group) - 1
        slots = [slot for slot in range(last + 1) if self._slots.owner(group, slot).name == name]
        return await self._outbox.read(self._deliverer.kinds, last, slots)

    async def _carry(self, letters: Sequence[SentLetter]) -> bool:
        """Delivers letters, then settles those that have ended; returns whether there was any."""
        try:
            endings = await self._deliverer.deliver(letters)
        except Exception:
            log.exception("letters can't be delivered", to=self._destination.name)
            return False
        settled = [(letter, ending) for letter, ending in zip(letters, endings, strict=True) if ending is not None]
        if not settled:
            return False
        await self._outbox.settle(settled)
        for letter, ending in settled:
            if ending.refused is None:
                MAIL_SETTLED.labels(letter.kind.removeprefix(MAIL)).inc()
        return True


def leaves(errors: BaseExceptionGroup[Any]) -> list[BaseException]:
    """The errors in a group, those of nested groups included."""
    return [leaf for error in errors.exceptions
            for leaf in (leaves(error) if isinstance(error, BaseExceptionGroup) else [error])]  # fmt: skip
