"""Whom players have blocked, and how often they have sent and received letters."""

import sqlalchemy as sa
from alembic import op

revision = "players_0010"
down_revision = "players_0009"


def upgrade() -> None:
    op.create_table(
        "blocks",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("blocked_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "letter_counts",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("other_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rest", sa.BigInteger, nullable=False),
        sa.Column("arrivals", sa.Integer, nullable=False),
        postgresql_with={"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.05"},
    )
