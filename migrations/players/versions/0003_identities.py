"""Tombstones of deleted players, and the epoch that renames and deletions commit in."""

import sqlalchemy as sa
from alembic import op

revision = "players_0003"
down_revision = "players_0002"


def upgrade() -> None:
    op.add_column("players", sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.text("false")))
    op.add_column("players", sa.Column("claims_epoch", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.create_check_constraint("players_deleted", "players", "void or not deleted")
