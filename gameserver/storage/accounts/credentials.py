"""Passwords and session epochs, which change together.

Law: a session counts only while its epoch is at least the player's `session_epoch`. Changing the password raises it in
the same transaction, so no session opened before outlives the old password, whatever an old dump of Redis restores.
"""

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import OutcomeUnknown, PlayerNotFound
from gameserver.storage import tables
from gameserver.storage.accounts.player_rows import is_player
from gameserver.storage.ids import slot_of
from gameserver.storage.slots.owner import lock_player, on_owner
from gameserver.storage.slots.slot_map import Slots

PLAYERS, CREDENTIALS = tables.player_rows, tables.credentials


class Credentials:
    """Reads and changes credentials on the databases that own the players."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def password(self, player_id: int) -> tuple[str | None, int]:
        """The argon2 hash of a player's password, or None, and its session epoch at the same moment."""

        async def query(connection: AsyncConnection) -> tuple[str | None, int]:
            columns = CREDENTIALS.c
            same = (columns.slot == PLAYERS.c.slot) & (columns.player_id == PLAYERS.c.id)
            chosen = select(columns.password_hash, PLAYERS.c.session_epoch).where(is_player(player_id))
            row = (await connection.execute(chosen.select_from(PLAYERS.outerjoin(CREDENTIALS, same)))).first()
            return (None, 0) if row is None else (row.password_hash, row.session_epoch)

        return await on_owner(self._slots, player_id, query)

    async def raise_session_epoch(self, player_id: int) -> None:
        """Ends every session opened so far for writes, also one that an old dump of Redis restores.

        Raises PlayerNotFound, DatabaseUnavailable.
        """
        await on_owner(self._slots, player_id, lambda connection: _raise_epoch(connection, player_id))

    async def end_epoch(self, player_id: int, epoch: int) -> None:
        """The same for a caller whose session is of `epoch`.

        Raises PlayerNotFound, SessionRevoked if that is over, DatabaseUnavailable.
        """

        async def write(connection: AsyncConnection) -> None:
            await lock_player(connection, player_id, epoch)
            await _raise_epoch(connection, player_id, epoch)

        await on_owner(self._slots, player_id, write)

    async def renew(self, player_id: int, former: str, password_hash: str) -> None:
        """Replaces the hash of a password by another one of the same password, unless it was changed meanwhile."""
        same = (CREDENTIALS.c.slot == slot_of(player_id)) & (CREDENTIALS.c.player_id == player_id)
        renewed = update(CREDENTIALS).where(same, CREDENTIALS.c.password_hash == former)
        await on_owner(
            self._slots,
            player_id,
            lambda connection: connection.execute(renewed.values(password_hash=password_hash)),
        )

    async def change(self, player_id: int, epoch: int, password_hash: str) -> int:
        """Sets a password for a caller whose session is of `epoch`; the epoch that sessions have from now on.

        Of two changes at the same time the second one is refused, since its session has ended. Raises PlayerNotFound,
        SessionRevoked, DatabaseUnavailable (nothing has changed) and OutcomeUnknown.
        """

        async def write(connection: AsyncConnection) -> int:
            await lock_player(connection, player_id, epoch)
            raised = await _raise_epoch(connection, player_id, epoch)
            row = {"slot": slot_of(player_id), "player_id": player_id, "password_hash": password_hash}
            upserted = upsert(CREDENTIALS).values(row)
            key = CREDENTIALS.primary_key
            await connection.execute(upserted.on_conflict_do_update(key, set_={"password_hash": password_hash}))
            return raised

        try:
            return await on_owner(self._slots, player_id, write)
        except OutcomeUnknown as error:
            detail = "Whether the password was changed isn't known: sign in with the new one, or with the old one."
            raise OutcomeUnknown(detail, retry_after=1) from error


async def _raise_epoch(connection: AsyncConnection, player_id: int, above: int = 0) -> int:
    """The new epoch, also above this one: a restored database may be behind it. Raises PlayerNotFound."""
    higher = func.greatest(PLAYERS.c.session_epoch, above) + 1
    raised = update(PLAYERS).where(is_player(player_id)).values(session_epoch=higher)
    epoch: int | None = (await connection.execute(raised.returning(PLAYERS.c.session_epoch))).scalar()
    if epoch is None:
        raise PlayerNotFound("There is no such player.")
    return epoch
