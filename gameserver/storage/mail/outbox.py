"""The outbox of one database: letters that wait for delivery."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import structlog

from gameserver.rules.game import RETURNED
from gameserver.rules.rulebook import MAIL
from gameserver.storage.ids import mail_id, slot_of
from gameserver.storage.mail.mailbag import SentLetter
from gameserver.storage.postgres import statements
from gameserver.telemetry import MAIL_RETURNED

log = structlog.get_logger()


SQL = statements.load(__package__, "outbox.sql")


CHUNK = 256
"""Letters in flight to one destination, at the most."""


MEASURED = 100_000


@dataclass(frozen=True, slots=True)
class Ending:
    """A letter has taken effect, or never will: `refused` is the code that says why."""

    refused: str | None = None


class Outbox:
    """The outbox as a courier's connection sees it; its callers take turns."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    async def read(self, kinds: Sequence[str], last_slot: int, slots: Sequence[int]) -> list[SentLetter]:
        """The oldest letters of these kinds to recipients in these slots."""
        rows = await self._ask("read", kinds, last_slot, slots, CHUNK)
        return [SentLetter(**row, mail_id=mail_id(row["player_id"], row["command_id"], row["number"])) for row in rows]

    async def settle(self, endings: Sequence[tuple[SentLetter, Ending]]) -> None:
        """Takes letters out, or turns them round; one that was turned round before is dropped."""
        rows = [
            (slot_of(each.player_id), each.player_id, each.command_id, each.number, each.kind, _answer(each, ending))
            for each, ending in endings
        ]
        await self._ask("settle", *zip(*rows, strict=True))

    async def is_empty(self) -> bool:
        """Whether nothing lies in it, copies of other databases' slots included."""
        ((empty,),) = await self._ask("empty")
        return bool(empty)

    async def waiting(self) -> tuple[int, float]:
        """How many letters wait, and since how many seconds the oldest does."""
        ((count, oldest),) = await self._ask("waiting", MEASURED)
        return count, oldest

    async def _ask(self, name: str, *arguments: object) -> list[Any]:
        async with self._turn:
            return list(await self._connection.fetch(SQL[name], *arguments))


def _answer(letter: SentLetter, ending: Ending) -> str | None:
    if ending.refused is None:
        return None
    kind = letter.kind.removeprefix(MAIL)
    if letter.kind == MAIL + RETURNED:
        log.warning("a letter is dropped", sender=letter.player_id, command=letter.command_id, why=ending.refused)
        MAIL_RETURNED.labels(kind, "dropped").inc()
        return None
    MAIL_RETURNED.labels(kind, ending.refused).inc()
    told = {"sender": str(letter.player_id), "kind": kind, "to": str(letter.recipient), "reason": ending.refused}
    return orjson.dumps({**told, "args": orjson.Fragment(letter.payload)}).decode()
