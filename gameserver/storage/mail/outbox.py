"""The outbox of one database: letters and grants that wait for delivery."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import structlog

from gameserver.code_labels import CODES
from gameserver.rules.game import RETURNED
from gameserver.rules.rulebook import MAIL
from gameserver.storage.ids import mail_id, slot_of
from gameserver.storage.mail.mailbag import SentLetter
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.driver import LEAVE_A_MARK
from gameserver.telemetry import MAIL_RETURNED

log = structlog.get_logger()


SQL = statements.load(__package__, "outbox.sql")


CHUNK = 256
"""The most letters in flight to one destination."""


MEASURED = 100_000
"""Up to what the waiting letters are counted."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a letter ended: it took effect, or never will, for the reason whose code is `refused`."""

    refused: str | None = None


class Outbox:
    """The outbox over a courier's connection, which its callers use one at a time."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    async def read(self, kinds: Sequence[str], last_slot: int, slots: Sequence[int]) -> list[SentLetter]:
        """Letters of these kinds to recipients in these slots, the oldest of each slot.

        A letter is never delivered that could yet be lost with its sender's command: a synchronous standby has them,
        too. What waits for other slots, or is of other kinds, costs nothing. Raises CommitUnsure.
        """
        rows = await self._ask("read", kinds, last_slot, slots, CHUNK)
        if rows:
            async with self._turn:
                await self._connection.fetch(f"select {LEAVE_A_MARK}")
        return [SentLetter(**row, mail_id=mail_id(row["player_id"], row["command_id"], row["number"])) for row in rows]

    async def settle(self, endings: Sequence[tuple[SentLetter, Ending]]) -> None:
        """Deletes letters that took effect and returns refused ones to their senders; a refused return is dropped."""
        rows = [
            (slot_of(letter.player_id), letter.player_id, letter.command_id, letter.number, letter.kind,
             _answer(letter, ending))
            for letter, ending in endings
        ]  # fmt: skip
        await self._ask("settle", *zip(*rows, strict=True))

    async def is_empty(self) -> bool:
        """Whether it has no row at all, not even of slots that the database doesn't own."""
        ((empty,),) = await self._ask("empty")
        return bool(empty)

    async def waiting(self) -> tuple[int, float]:
        """How many letters wait, and for how many seconds the oldest has."""
        ((count, oldest),) = await self._ask("waiting", MEASURED)
        return count, oldest

    async def _ask(self, name: str, *arguments: object) -> list[Any]:
        async with self._turn:
            return list(await self._connection.fetch(SQL[name], *arguments))


def _answer(letter: SentLetter, ending: Ending) -> str | None:
    """The payload of the letter that a refused one becomes; None for one that is deleted."""
    if ending.refused is None:
        return None
    kind = letter.kind.removeprefix(MAIL)
    if letter.kind == MAIL + RETURNED:
        log.warning("a letter is dropped", sender=letter.player_id, command=letter.command_id, why=ending.refused)
        MAIL_RETURNED.labels(kind, "dropped").inc()
        return None
    MAIL_RETURNED.labels(kind, CODES.learnt(ending.refused, letter.kind)).inc()
    returned = {"sender": str(letter.player_id), "kind": kind, "to": str(letter.recipient), "reason": ending.refused}
    return orjson.dumps({**returned, "args": orjson.Fragment(letter.payload)}).decode()
