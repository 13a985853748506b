"""Passwords, which are changed together with the epoch of their player's sessions."""

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DatabaseUnavailable, OutcomeUnknown
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.slots.owner import lock_player, on_owner
from gameserver.storage.slots.slot_map import Slots

PLAYERS, CREDENTIALS = tables.player_rows, tables.credentials


class Credentials:
    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def change(self, player_id: int, epoch: int, password_hash: str) -> int:
        """Sets a password for a caller whose session is of `epoch`; the epoch that sessions have from now on.

        One transaction: no session of before outlives the old password. Of two changes at the same time the second
        one finds that its session has ended. Raises PlayerNotFound, SessionRevoked, DatabaseUnavailable (nothing has
        changed) and OutcomeUnknown.
        """
        begun = False

        async def write(connection: AsyncConnection) -> int:
            nonlocal begun
            await lock_player(connection, player_id, epoch)
            begun = True
            raised = await _raise_epoch(connection, player_id)
            row = {"slot": slot_of(player_id), "player_id": player_id, "password_hash": password_hash}
            wanted = upsert(CREDENTIALS).values(row)
            key = CREDENTIALS.primary_key
            await connection.execute(wanted.on_conflict_do_update(key, set_={"password_hash": password_hash}))
            return raised

        try:
            return await on_owner(self._slots, player_id, write)
        except DatabaseUnavailable as error:
            if not begun:
                raise
            detail = "Whether the password was changed isn't known: sign in with the new one, or with the old one."
            raise OutcomeUnknown(detail, retry_after=1) from error


async def _raise_epoch(connection: AsyncConnection, player_id: int) -> int:
    mine = (PLAYERS.c.slot == slot_of(player_id)) & (PLAYERS.c.id == player_id)
    raised = update(PLAYERS).where(mine).values(session_epoch=PLAYERS.c.session_epoch + 1)
    epoch: int = (await connection.execute(raised.returning(PLAYERS.c.session_epoch))).scalar_one()
    return epoch
