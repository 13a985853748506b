"""Rows of the table `players`, as accounts match and insert them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement

from gameserver.rules.player import Player
from gameserver.storage import tables
from gameserver.storage.ids import slot_of

PLAYERS = tables.player_rows
_NEVER = datetime.fromtimestamp(0, UTC)


def has_id(player_id: int) -> ColumnElement[bool]:
    """Matches the row of this id, also a void one."""
    return (PLAYERS.c.slot == slot_of(player_id)) & (PLAYERS.c.id == player_id)


def is_player(player_id: int) -> ColumnElement[bool]:
    """Matches the player of this id, if it exists."""
    return has_id(player_id) & ~PLAYERS.c.void


def new_row(player: Player, *, void: bool = False) -> dict[str, Any]:
    """The columns of a new player."""
    return {
        "slot": slot_of(player.id),
        "id": player.id,
        "name": player.name,
        "class": player.class_name,
        "level": player.level,
        "hp": player.hp,
        "exp": player.exp,
        "version": player.version,
        "session_epoch": 0,
        "void": void,
        "created_at": player.created_at,
        "exp_reached_at": player.exp_reached_at,
    }


def void_row(player_id: int) -> dict[str, Any]:
    """The columns of a row that only keeps its id from being inserted."""
    nobody = Player(player_id, "", "", level=0, hp=0, exp=0, version=0, created_at=_NEVER, exp_reached_at=_NEVER)
    return new_row(nobody, void=True)
