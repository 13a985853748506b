"""A slot's rows of a table in pieces, each for one bounded statement, however many rows the slot has.

Law: the pieces go by the primary key and together have every row that was there at the beginning. No statement's time
grows with the slot, so one that takes too long means a server that doesn't answer, and never a slot that is large.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg
from sqlalchemy import Table

ROWS = 10_000
SECONDS = 60.0
"""What a statement over one piece may take."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A condition on rows of the table, and the values of its parameters: $1 is the slot."""

    condition: str
    values: Sequence[object]

    def parameter(self, number: int) -> str:
        """The name of a parameter after its own, from 1 on."""
        return f"${len(self.values) + number}"


async def pieces(connection: asyncpg.Connection, table: Table, slot: int) -> AsyncIterator[Piece]:
    """Of ROWS rows each, the last one without an end. Raises what the driver does."""
    names = [column.name for column in table.primary_key.columns if column.name != "slot"]
    key = ", ".join(f'"{name}"' for name in names)
    piece = Piece("slot = $1", [slot])
    while True:
        places = ", ".join(piece.parameter(number) for number, _ in enumerate(names, 1))
        begun = f'from "{table.name}" where {piece.condition}'
        query = f"select {key} {begun} order by {key} offset {ROWS - 1} limit 1"
        last = await connection.fetchrow(query, *piece.values, timeout=SECONDS)
        if last is None:
            yield piece
            return
        yield Piece(f"{piece.condition} and ({key}) <= ({places})", [*piece.values, *last])
        after = ", ".join(f"${number}" for number, _ in enumerate(names, 2))
        piece = Piece(f"slot = $1 and ({key}) > ({after})", [slot, *last])
