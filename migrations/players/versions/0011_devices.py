"""Devices by which a player signs in, besides the one of its sign-up."""

import sqlalchemy as sa
from alembic import op

revision = "players_0011"
down_revision = "players_0010"


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
    )
