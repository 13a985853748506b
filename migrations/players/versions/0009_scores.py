"""Scores of kept boards, where seasons have ended, bans, and when a level was reached."""

import sqlalchemy as sa
from alembic import op

revision = "players_0009"
down_revision = "players_0008"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("players", sa.Column("level_reached_at", TIME))
    op.add_column("players", sa.Column("banned", sa.Boolean, server_default=sa.false(), nullable=False))
    op.create_table(
        "scores",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("board", sa.String(32), primary_key=True),
        sa.Column("season", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("score", sa.BigInteger, nullable=False),
        sa.Column("reached_at", TIME, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_table(
        "season_floors",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("board", sa.String(32), primary_key=True),
        sa.Column("season", sa.BigInteger, nullable=False),
    )
