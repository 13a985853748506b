"""Bans: whether a player may play and be ranked, kept with him.

Law: a ban is one row's change, with a version and a ledger row of its own, so whatever is derived from him goes or
comes back with it, and no older state of him can undo it. It raises his session epoch under his row's lock: whatever
he had asked for and wasn't committed by then never is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import CommandMismatch, PlayerNotFound
from gameserver.rules.game import Game
from gameserver.rules.player import Player
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.rows import TXID
from gameserver.storage.ledger.window import Window
from gameserver.storage.tables import player_of

PLAYERS, LEDGER = tables.player_rows, tables.ledger


@dataclass(frozen=True, slots=True)
class Judgement:
    """A ban, or its end when `banned` is False, under a command id."""

    command_id: str
    player_id: int
    banned: bool
    reason: str

    @property
    def action(self) -> str:
        return "ban" if self.banned else "lift_ban"


@dataclass(frozen=True, slots=True)
class Judged:
    """A player after a judgement; `replayed` if it had been passed before under its command id."""

    player: Player
    banned: bool
    replayed: bool


async def judge(connection: AsyncConnection, window: Window, game: Game, judgement: Judgement) -> Judged:
    """Passes a judgement; one that finds the player so already changes nothing.

    Raises PlayerNotFound, CommandMismatch, CommandExpired.
    """
    chosen = select(*tables.PLAYER, PLAYERS.c.banned, func.clock_timestamp().label("now")).where(_is(judgement))
    row = (await connection.execute(chosen.with_for_update(key_share=True))).first()
    if row is None:
        raise PlayerNotFound("There is no such player.")
    player = player_of(row)
    if await _is_known(connection, judgement):
        return Judged(player, row.banned, replayed=True)
    window.refuse(judgement.command_id, row.now)
    if row.banned == judgement.banned:
        return Judged(player, row.banned, replayed=False)
    after = player._replace(version=player.version + 1)
    await connection.execute(insert(LEDGER).values(_entry(judgement, after, game, row.now)))
    changed: dict[str, Any] = {"banned": judgement.banned, "version": after.version}
    if judgement.banned:
        changed["session_epoch"] = PLAYERS.c.session_epoch + 1
    await connection.execute(update(PLAYERS).where(_is(judgement)).values(changed))
    return Judged(after, judgement.banned, replayed=False)


async def _is_known(connection: AsyncConnection, judgement: Judgement) -> bool:
    ledger = LEDGER.c
    mine = (ledger.slot == slot_of(judgement.player_id)) & (ledger.player_id == judgement.player_id)
    chosen = select(ledger.action, ledger.args).where(mine, ledger.command_id == judgement.command_id)
    row = (await connection.execute(chosen)).first()
    if row is not None and (row.action, row.args) != (judgement.action, {"reason": judgement.reason}):
        raise CommandMismatch("The command id was used before, for another command.")
    return row is not None


def _is(judgement: Judgement) -> ColumnElement[bool]:
    mine = (PLAYERS.c.slot == slot_of(judgement.player_id)) & (PLAYERS.c.id == judgement.player_id)
    return mine & ~PLAYERS.c.void


def _entry(judgement: Judgement, player: Player, game: Game, now: datetime) -> dict[str, Any]:
    told = {"name": player.name, "class": player.class_name, "level": player.level, "hp": player.hp,
            "max_hp": game.max_hp(player.class_name, player.level), "exp": player.exp,
            "events": [{"type": "banned" if judgement.banned else "ban_lifted"}]}  # fmt: skip
    return {
        "slot": slot_of(player.id),
        "player_id": player.id,
        "command_id": judgement.command_id,
        "action": judgement.action,
        "args": {"reason": judgement.reason},
        "seed": 0,
        "outcome": told,
        "version": player.version,
        "at": now,
        "txid": TXID,
    }
