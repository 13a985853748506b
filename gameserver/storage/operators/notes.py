"""What operators note of players, for each other; in the control database.

Law: a note is written once per command id. Notes are never changed; those of a player that is erased are deleted.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from gameserver.rules.errors import CommandMismatch
from gameserver.storage import tables
from gameserver.storage.postgres.database import Database

NOTES = tables.player_notes
NOTE = (NOTES.c.id, NOTES.c.at, NOTES.c.admin, NOTES.c.text)


class Note(NamedTuple):
    """By an operator, at a moment; `id` counts up."""

    id: int
    at: datetime
    admin: str
    text: str


class Notes:
    """One per node; every method raises DatabaseUnavailable."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def add(self, player_id: int, admin: str, text: str, command_id: str) -> Note:
        """Once per command id: a repeat gives the first note. Raises CommandMismatch if that is another one."""
        row = {"player_id": player_id, "admin": admin, "text": text, "command_id": command_id}
        async with self._control.transaction() as connection:
            await connection.execute(insert(NOTES).values(row).on_conflict_do_nothing())
            query = select(*NOTE, NOTES.c.player_id).where(NOTES.c.command_id == command_id)
            *note, of_player = (await connection.execute(query)).one()
        added = Note(*note)
        if (of_player, added.admin, added.text) != (player_id, admin, text):
            raise CommandMismatch("The command id was used before, for another note.")
        return added

    async def page(self, player_id: int, limit: int, last: Note | None = None) -> list[Note]:
        """At most `limit`, newest first; `last` is the last one of the page before."""
        chosen = select(*NOTE).where(NOTES.c.player_id == player_id).order_by(NOTES.c.id.desc()).limit(limit)
        if last is not None:
            chosen = chosen.where(NOTES.c.id < last.id)
        async with self._control.snapshot() as connection:
            return [Note(*row) for row in await connection.execute(chosen)]

    async def count(self, player_id: int) -> int:
        """How many there are of a player."""
        counted = select(func.count()).where(NOTES.c.player_id == player_id)
        async with self._control.snapshot() as connection:
            return (await connection.execute(counted)).scalar_one()

    async def forget(self, player_id: int) -> int:
        """Deletes all notes of a player; how many."""
        async with self._control.transaction() as connection:
            return (await connection.execute(delete(NOTES).where(NOTES.c.player_id == player_id))).rowcount
