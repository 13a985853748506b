"""Bans: whether a player may play and be ranked, stored in the player's row.

Law: a ban is one change of the row, with a version and a ledger row of its own, so whatever is derived from the player
is removed or restored with it, and no older state of the player can undo it. It raises the session epoch under the
row's lock: a command of the player that isn't committed by then never is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import PlayerNotFound
from gameserver.rules.game import Game
from gameserver.rules.player import Player, shown_max_hp
from gameserver.storage import tables
from gameserver.storage.accounts.commit import at_commit_point
from gameserver.storage.accounts.player_rows import is_player
from gameserver.storage.ledger.rows import outcome_of, require_same, row_of, rows_of
from gameserver.storage.ledger.window import Window
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.slot_map import Slots
from gameserver.storage.tables import player_of

PLAYERS, LEDGER = tables.player_rows, tables.ledger


@dataclass(frozen=True, slots=True)
class BanChange:
    """A ban, or its end when `banned` is False, under a command id."""

    command_id: str
    player_id: int
    banned: bool
    reason: str

    @property
    def action(self) -> str:
        return "ban" if self.banned else "lift_ban"

    @property
    def args(self) -> dict[str, str]:
        return {"reason": self.reason}


@dataclass(frozen=True, slots=True)
class BanState:
    """A player after a ban change; `replayed` if the change had been made before under its command id."""

    player: Player
    banned: bool
    replayed: bool


class Bans:
    """Bans players on the databases that own them."""

    def __init__(self, slots: Slots, window: Window, game: Game) -> None:
        self._slots, self._window, self._game = slots, window, game

    async def change(self, change: BanChange) -> BanState:
        """Bans a player or lifts its ban, once per command id; nothing changes if the player is so already.

        Raises PlayerNotFound, CommandMismatch, CommandExpired; OutcomeUnknown when the commit may have taken place.
        """
        work = on_owner(self._slots, change.player_id, lambda connection: self._change(connection, change))
        return await at_commit_point("it took effect", work)

    async def _change(self, connection: AsyncConnection, change: BanChange) -> BanState:
        same = is_player(change.player_id)
        chosen = select(*tables.PLAYER, PLAYERS.c.banned, func.clock_timestamp().label("now")).where(same)
        row = (await connection.execute(chosen.with_for_update(key_share=True))).first()
        if row is None:
            raise PlayerNotFound("There is no such player.")
        player = player_of(row)
        # A change under the same command id before, or to the state that it is in, changes nothing.
        if await _took_effect(connection, change):
            return BanState(player, row.banned, replayed=True)
        self._window.check(change.command_id, row.now)
        if row.banned == change.banned:
            return BanState(player, row.banned, replayed=False)
        # A version of its own, so that whatever is derived from the player follows.
        after = player._replace(version=player.version + 1)
        await connection.execute(insert(LEDGER).values(self._row(change, after, row.now)))
        values: dict[str, Any] = {"banned": change.banned, "version": after.version}
        if change.banned:
            values["session_epoch"] = PLAYERS.c.session_epoch + 1
        await connection.execute(update(PLAYERS).where(same).values(values))
        return BanState(after, change.banned, replayed=False)

    def _row(self, change: BanChange, player: Player, now: datetime) -> dict[str, Any]:
        events = [{"type": "banned" if change.banned else "ban_lifted"}]
        outcome = outcome_of(player, shown_max_hp(player, self._game), events)
        return row_of(change.command_id, change.action, change.args, player, outcome, now)


async def _took_effect(connection: AsyncConnection, change: BanChange) -> bool:
    """Whether the ledger has the change. Raises CommandMismatch."""
    chosen = select(LEDGER.c.action, LEDGER.c.args).where(
        rows_of(change.player_id), LEDGER.c.command_id == change.command_id
    )
    row = (await connection.execute(chosen)).first()
    if row is not None:
        require_same((row.action, row.args), (change.action, change.args))
    return row is not None
