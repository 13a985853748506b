"""Rows of the table `players`, as accounts match them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement

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


def void_row(player_id: int) -> dict[str, Any]:
    """The columns of a row that only keeps its id from being inserted."""
    numbers = dict.fromkeys(("level", "hp", "exp", "version", "session_epoch"), 0)
    key = {"slot": slot_of(player_id), "id": player_id, "name": "", "class": ""}
    return {**key, **numbers, "void": True, "created_at": _NEVER, "exp_reached_at": _NEVER}
