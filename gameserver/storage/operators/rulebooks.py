"""The rulebooks that were played by, in the control database.

Law: the same game.toml with the same code has one number for ever, whichever node asks and however often. What a number
stands for never changes.
"""

import hashlib
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from gameserver.storage import tables
from gameserver.storage.postgres.database import Database

RULEBOOKS = tables.rulebooks


class RecordedRulebook(NamedTuple):
    """`game` is game.toml as JSON; the hashes are SHA-256 of that with its names sorted, and of the rules' code."""

    number: int
    game_hash: str
    code_hash: str
    first_used_at: datetime
    game: str


class Rulebooks:
    """One per process; every method raises DatabaseUnavailable."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def number_of(self, game: str, sorted_game: str, code_hash: str) -> int:
        """The number of this game, by its text with sorted names, with this code; a new one is recorded."""
        game_hash = hashlib.sha256(sorted_game.encode()).hexdigest()
        same = (RULEBOOKS.c.game_hash == game_hash) & (RULEBOOKS.c.code_hash == code_hash)
        chosen = select(RULEBOOKS.c.number).where(same)
        async with self._control.snapshot() as connection:
            known: int | None = (await connection.execute(chosen)).scalar()
        if known is not None:
            return known
        row = {"game_hash": game_hash, "code_hash": code_hash, "game": game}
        async with self._control.transaction() as connection:
            await connection.execute(insert(RULEBOOKS).values(row).on_conflict_do_nothing())
            number: int = (await connection.execute(chosen)).scalar_one()
        return number

    async def find(self, number: int) -> RecordedRulebook | None:
        """The rulebook of a number, if there is one."""
        columns = (RULEBOOKS.c[name] for name in RecordedRulebook._fields)
        async with self._control.snapshot() as connection:
            row = (await connection.execute(select(*columns).where(RULEBOOKS.c.number == number))).first()
            return None if row is None else RecordedRulebook(*row)

    async def all(self) -> list[RecordedRulebook]:
        """From the newest number."""
        columns = (RULEBOOKS.c[name] for name in RecordedRulebook._fields)
        async with self._control.snapshot() as connection:
            rows = await connection.execute(select(*columns).order_by(RULEBOOKS.c.number.desc()))
            return [RecordedRulebook(*row) for row in rows]
