"""Which classes, items and kinds of letters the data holds, and which ones a game has had.

Law: a node records the names of its game before it serves, so whatever players hold is in the control database's
`game_names`. A start reads only that, which costs one small query; the databases are counted only for names that the
game doesn't have any more. Databases that were written before there was this table are counted whole by `migrate`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.rules.game_names import GameName
from gameserver.storage import tables
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database

SQL = statements.load(__package__, "game_names.sql")
GROUPS = {"class": "players", "letter": "players", "item": "items"}
"""The table group that holds what has a name of each kind."""


class Holdings(NamedTuple):
    """How many players (or letters) hold each name, and the databases that didn't answer."""

    counts: Mapping[GameName, int]
    silent: Sequence[str]


class GameNames:
    """`members` gives the databases of a table group."""

    def __init__(self, control: Database, members: Callable[[str], Sequence[Database]]) -> None:
        self._control = control
        self._members = members

    async def recorded(self) -> set[GameName]:
        """The names of every game that a node has served. Raises DatabaseUnavailable."""
        query = select(tables.game_names.c.kind, tables.game_names.c.name)
        async with self._control.snapshot() as connection:
            return {GameName(*row) for row in await connection.execute(query)}

    async def record(self, names: Iterable[GameName]) -> None:
        """Records names for good. Raises DatabaseUnavailable."""
        rows = [name._asdict() for name in sorted(names)]
        if not rows:
            return
        async with self._control.transaction() as connection:
            await connection.execute(insert(tables.game_names).values(rows).on_conflict_do_nothing())

    async def held(self, names: Iterable[GameName] | None = None) -> Holdings:
        """What the databases hold by these names, or by any; reads every player once."""
        by_kind: dict[str, list[str] | None] = dict.fromkeys(GROUPS)
        if names is not None:
            chosen = sorted(names)
            by_kind = {kind: [name.name for name in chosen if name.kind == kind] for kind in GROUPS}
        asked = [
            (kind, database, wanted)
            for kind, wanted in by_kind.items()
            if wanted is None or wanted
            for database in self._members(GROUPS[kind])
        ]
        answers = await asyncio.gather(*(_count(*question) for question in asked))
        counts: dict[GameName, int] = {}
        for (kind, _, _), rows in zip(asked, answers, strict=True):
            for name, count in rows or ():
                counts[GameName(kind, name)] = counts.get(GameName(kind, name), 0) + count
        silent = {database.name for (_, database, _), rows in zip(asked, answers, strict=True) if rows is None}
        return Holdings(counts, sorted(silent))


async def _count(kind: str, database: Database, names: list[str] | None) -> Sequence[tuple[str, int]] | None:
    """The rows of one database; None if it doesn't answer."""
    try:
        return [(row.name, row.count) for row in await database.ask(SQL[kind], names)]
    except DatabaseUnavailable:
        return None
