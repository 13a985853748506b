"""Locks many players' rows for shared writes, each for a session that must not have ended.

Law: nobody waits. A player that is locked elsewhere is tried again (`Busy`) and holds up nobody.
"""

from collections.abc import Sequence

import asyncpg

from gameserver.rules.errors import PlayerNotFound, SessionRevoked
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.slots.shared_writes import Busy

SQL = statements.load(__package__, "locked_players.sql")


async def lock_players(
    connection: asyncpg.Connection, sessions: Sequence[tuple[int, int]]
) -> list[Busy | PlayerNotFound | SessionRevoked | None]:
    """What keeps each session, a player id and an epoch, from a change; None where the player is locked for it.

    Raises driver errors.
    """
    ids = list(dict.fromkeys(player_id for player_id, _ in sessions))
    keys = [slot_of(player_id) for player_id in ids], ids
    epochs = {row["id"]: row["session_epoch"] for row in await connection.fetch(SQL["lock"], *keys)}
    is_busy = len(epochs) < len(ids)
    present = {row["id"] for row in await connection.fetch(SQL["present"], *keys)} if is_busy else set()
    faults: list[Busy | PlayerNotFound | SessionRevoked | None] = []
    for player_id, epoch in sessions:
        if player_id not in epochs:
            faults.append(Busy() if player_id in present else PlayerNotFound("There is no such player."))
        else:
            faults.append(SessionRevoked("The session has ended.") if epochs[player_id] > epoch else None)
    return faults
