"""Bans with an end, what the player is told, and who made them; also those that are over."""

import sqlalchemy as sa
from alembic import op

revision = "players_0018"
down_revision = "players_0017"


def upgrade() -> None:
    op.create_table(
        "bans",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("command_id", sa.dialects.postgresql.UUID(as_uuid=False), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("said", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("banned_by", sa.String(64), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("ended_by", sa.String(64)),
        sa.Column("settled", sa.Boolean, nullable=False),
    )
    op.create_index("bans_open", "bans", ["until"], postgresql_where=sa.text("not settled"))
