"""The ledger of a deleted player in pieces: what it still says, and erasing that, however many rows there are.

Law: no statement has more than ROWS rows of it, and each piece is a transaction, so an erasure that is ended anywhere
goes on where it was. How far it has come stands in the player's row, with the names that were found, and is changed in
the transaction that erases the rows which had them: a name isn't lost before the erasure has ended. It stands there as
a list, which the data of rules never is. Two erasures of one player don't go on beside each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import Unavailable
from gameserver.storage.accounts.erased_letters import ErasedLetter
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import one_by_one
from gameserver.storage.postgres.locks import KEEPING
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.slot_map import Slots

SQL = {name: text(statement) for name, statement in statements.load(__package__, "own_ledger.sql").items()}
ROWS = 5_000
FIRST = "00000000-0000-0000-0000-000000000000"
"""Before every command id."""
TABLES = ("ledger", "ledger_kept")
BETWEEN_COPIES = select(func.pg_advisory_xact_lock_shared(KEEPING))
"""What is copied to `ledger_kept` is committed by then, or copied as it is erased."""


class OwnRow(NamedTuple):
    """A row of the ledger; `speaks` if it still says something."""

    command_id: str
    speaks: bool
    names: frozenset[str]
    letters: Sequence[ErasedLetter]


class Progress(NamedTuple):
    """Rows up to the command id `after` are erased or, `searching`, searched since; `left` of these still speak.

    `letters` and `rows`, of each of TABLES, were erased since the beginning, over all attempts.
    """

    searching: bool = False
    after: str = FIRST
    left: int = 0
    names: frozenset[str] = frozenset()
    letters: int = 0
    rows: Sequence[int] = (0,) * len(TABLES)
    stored: str | None = None
    """What the player's row has, as text."""

    @property
    def erased(self) -> dict[str, int]:
        return {"letters": self.letters, **dict(zip(TABLES, self.rows, strict=True))}


@dataclass(frozen=True, slots=True)
class OwnLedger:
    """On the databases that own the players; every method raises PlayerNotFound, DatabaseUnavailable."""

    _slots: Slots

    async def look(self, player_id: int, after: str) -> list[OwnRow]:
        """The next rows; fewer than ROWS if these are the last."""
        named = {**_named(player_id), "after": after, "rows": ROWS}

        async def work(connection: AsyncConnection) -> list[OwnRow]:
            await one_by_one(connection)
            return [_row(row) for row in await connection.execute(SQL["look"], named)]

        return await on_owner(self._slots, player_id, work, reads=True)

    async def advance(self, player_id: int, now: Progress, then: Progress) -> Progress:
        """Erases the rows between, unless the former progress was `searching`, and counts them.

        Raises Unavailable if another erasure of the player has gone on meanwhile.
        """
        named = _named(player_id)
        piece = {**named, "after": now.after, "last": then.after}

        async def work(connection: AsyncConnection) -> Progress:
            await one_by_one(connection)
            await connection.execute(BETWEEN_COPIES)
            reached = then
            if not now.searching:
                erased = [(await connection.execute(SQL[table], piece)).rowcount for table in TABLES]
                reached = then._replace(rows=[sum(both) for both in zip(now.rows, erased, strict=True)])
            stored = _text(reached)
            taken = await connection.execute(SQL["advance"], {**named, "progress": stored, "former": now.stored})
            if not taken.rowcount:
                raise Unavailable("Another erasure of the player is under way: send this again.", retry_after=5)
            return reached._replace(stored=stored)

        return await on_owner(self._slots, player_id, work)


def _text(progress: Progress) -> str:
    names = sorted(progress.names)
    return orjson.dumps(
        [progress.searching, progress.after, progress.left, names, progress.letters, *progress.rows]
    ).decode()


def read(stored: str | None) -> Progress:
    """What an erasure has left in the player's row; none has begun if that is what rules remembered."""
    if stored is None or not stored.startswith("["):
        return Progress(stored=stored)
    searching, after, left, names, letters, *rows = orjson.loads(stored)
    return Progress(searching, after, left, frozenset(names), letters, rows, stored)


def _row(row: Any) -> OwnRow:
    letters = [ErasedLetter(mail_id, int(recipient)) for mail_id, recipient in orjson.loads(row.letters or "[]")]
    return OwnRow(row.command_id, row.speaks, frozenset(name for name in (row.name, row.former) if name), letters)


def _named(player_id: int) -> dict[str, Any]:
    return {"slot": slot_of(player_id), "id": player_id}
