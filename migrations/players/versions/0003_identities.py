"""Tombstones of deleted players, and the epoch that renames and deletions commit in.

Nothing is rewritten or scanned: the defaults are kept beside the table.
"""

import sqlalchemy as sa
from alembic import op

revision = "players_0003"
down_revision = "players_0002"


def upgrade() -> None:
    op.add_column("players", sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.text("false")))
    op.add_column("players", sa.Column("claims_epoch", sa.Integer, nullable=False, server_default=sa.text("0")))
