"""The names of copies of moves on their servers, and how a copy is found there, whoever has named it.

Law: a database is of one deployment, so what is left of a move's copy in it is found by the number of the move; and
since a slot is in one move at a time, what is published of a move's slots is its copy, or one that must end. The rest
of the name only tells apart the deployments that share a server. It is made of what never changes; earlier
versions made it of the source's address, which changes with a password.
"""

import hashlib
import re
from collections.abc import Sequence

import asyncpg

from gameserver.storage.postgres import statements
from gameserver.storage.sharding.move import MoveRecord

SQL = statements.load(__package__, "copy_names.sql")
SECONDS = 60.0
_FORM = "^gs_[0-9a-f]{{8}}_move_{move}{more}$"
_NAME = re.compile(_FORM.format(move="([0-9]+)", more=""))


def name_of(deployment: str, move: MoveRecord) -> str:
    """The name for a new copy: of publication, replication slot and subscription."""
    parts = f"{deployment} {move.source} {move.target}"
    return f"gs_{hashlib.blake2b(parts.encode(), digest_size=4).hexdigest()}_move_{move.id}"


async def left_of(connection: asyncpg.Connection, kind: str, move_id: int) -> list[str]:
    """The names of a move's subscriptions, publications or slots, as `kind` says. Raises what the driver does."""
    pattern = _FORM.format(move=move_id, more="")
    return [row["name"] for row in await connection.fetch(SQL[kind], pattern, timeout=SECONDS)]


async def left_of_all(connection: asyncpg.Connection, kind: str) -> dict[str, int]:
    """The names of those of all moves, and the number of each one's move. Raises what the driver does."""
    rows = await connection.fetch(SQL[kind], _NAME.pattern, timeout=SECONDS)
    return {row["name"]: int(match[1]) for row in rows if (match := _NAME.match(row["name"]))}


async def left_with(connection: asyncpg.Connection, group: str, slots: Sequence[int]) -> list[str]:
    """The names of the publications, of whatever move, that have one of these slots. Raises what the driver does."""
    rows = await connection.fetch(SQL["of_slots"], _NAME.pattern, f"{group}_marks", slots, timeout=SECONDS)
    return [row["name"] for row in rows]


async def end_movers(connection: asyncpg.Connection, move_id: int) -> None:
    """Ends the sessions of a move's other movers. Raises what the driver does."""
    await connection.fetch(SQL["end_movers"], _FORM.format(move=move_id, more="_mover"), timeout=SECONDS)
