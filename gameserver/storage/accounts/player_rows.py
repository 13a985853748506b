"""Rows of the table `players`, as accounts match them."""

from sqlalchemy import ColumnElement

from gameserver.storage import tables
from gameserver.storage.ids import slot_of

PLAYERS = tables.player_rows


def has_id(player_id: int) -> ColumnElement[bool]:
    """Matches the row of this id, also a void one."""
    return (PLAYERS.c.slot == slot_of(player_id)) & (PLAYERS.c.id == player_id)


def is_player(player_id: int) -> ColumnElement[bool]:
    """Matches the player of this id, if it exists."""
    return has_id(player_id) & ~PLAYERS.c.void
