"""Payments and grants between the players and the items of a slot that lie on two databases, one of which went back.

Law: the ledger of the players decides, as it is now. A payment of a command that it doesn't have is opened again, and
the sweeper, which asks the ledger, gives the items back. A grant of a command that it has is sent again, which counts
once. A grant by a letter that is sent again stays: it counts once, too. What is found is put right at once, so a run
that is interrupted leaves less to the next. A payment that is settled meanwhile was judged by the ledger as it is now.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg

from gameserver.storage.crossings.findings import Findings
from gameserver.storage.crossings.past import SQL, WentBack, by_place, of_ledger, reading
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated

TAKE = "take"


async def items_of_players(
    back: WentBack, others: Sequence[Database], comes_again: Callable[[int, str], bool]
) -> list[Findings]:
    """For players that went back, and items elsewhere that didn't. Raises DatabaseUnavailable.

    `comes_again` says of a player and a command whether the command will be done again, under its id.
    """
    taken = Findings(
        "items_given_back", "payments for actions that are undone", "opened again: the players get the items back"
    )
    granted = Findings(
        "items_kept", "items granted by actions that are undone", "listed: take back what players shouldn't have"
    )
    async with reading(back.database) as restored:
        for other in others:
            async for undone in _undone(back, restored, other):
                takes = [row for row in undone if row["kind"] == TAKE]
                if takes:
                    await _write(other, "reopen", *_columns(takes))
                for row in takes:
                    taken.add(**_shown(row))
                for row in undone:
                    if row["kind"] != TAKE and not comes_again(row["player_id"], row["command_id"]):
                        granted.add(**_shown(row))
    return [taken, granted]


async def players_of_items(back: WentBack, others: Sequence[Database]) -> list[Findings]:
    """For items that went back, and players elsewhere that didn't. Raises DatabaseUnavailable."""
    unpaid = Findings(
        "items_unpaid", "actions whose payment is undone", "listed: take from the players what the actions cost"
    )
    granted = Findings("items_granted_again", "grants that were lost", "sent again")
    async with reading(back.database) as restored:
        for other in others:
            async for missing in _missing(back, restored, other):
                if grants := [row for row in missing if row["kind"] != TAKE]:
                    await _write(other, "grant_again", *_columns(grants), [row["items"] for row in grants])
                for row in missing:
                    (unpaid if row["kind"] == TAKE else granted).add(**_shown(row))
    return [unpaid, granted]


async def _undone(back: WentBack, restored: asyncpg.Connection, other: Database) -> AsyncIterator[list[Any]]:
    """What commands took or were granted of which the restored ledger knows nothing."""
    async with reading(other) as connection:
        async for rows in by_place(connection, "item_ledger", "settled", back.since, back.players):
            known = {row["command_id"] for row in await restored.fetch(SQL["committed"], *_columns(rows))}
            yield [row for row in rows if row["command_id"] not in known]


async def _missing(back: WentBack, restored: asyncpg.Connection, other: Database) -> AsyncIterator[list[Any]]:
    """What commands took or were granted of which the restored items know nothing."""
    async with reading(other) as connection:
        async for rows in of_ledger(connection, back.since, "exchanged", back.items):
            kinds = [row["kind"] for row in rows]
            noted = await restored.fetch(SQL["noted"], *_columns(rows), kinds)
            known = {(row["command_id"], row["kind"]) for row in noted}
            yield [row for row in rows if (row["command_id"], row["kind"]) not in known]


async def _write(database: Database, statement: str, *arguments: object) -> None:
    """In one transaction. Raises DatabaseUnavailable."""
    with translated(database.name):
        connection = await database.connect({})
        try:
            await connection.execute(SQL[statement], *arguments)
        finally:
            connection.terminate()


def _columns(rows: Sequence[Any]) -> list[list[Any]]:
    return [[row[name] for row in rows] for name in ("slot", "player_id", "command_id")]


def _shown(row: Any) -> dict[str, object]:
    return {
        "player": str(row["player_id"]),
        "command": row["command_id"],
        "items": row["items"],
        "at": row["at"],
    }
