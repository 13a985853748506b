"""Slots of players can be moved: what a move's target receives counts there as written by its own transactions."""

from alembic import op

from gameserver.storage.tables.movable import TXID, make_movable

revision = "players_0005"
down_revision = "players_0004"


def upgrade() -> None:
    make_movable("players")
    op.alter_column("ledger", "txid", server_default=TXID)
