"""Seasons of boards, how far the closing of each has got, and the standings in which they ended."""

import sqlalchemy as sa
from alembic import op

revision = "control_0004"
down_revision = "control_0003"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "seasons",
        sa.Column("board", sa.String(32), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("players", sa.BigInteger),
        sa.Column("changed_at", TIME, server_default=sa.func.clock_timestamp(), nullable=False),
    )
    op.create_table(
        "season_standings",
        sa.Column("board", sa.String(32), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rank", sa.BigInteger, nullable=False),
        sa.Column("player_id", sa.BigInteger, nullable=False),
        sa.Column("score", sa.BigInteger, nullable=False),
        sa.Column("reached_at", TIME, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("class", sa.String(64), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("reward", sa.JSON(none_as_null=True)),
        sa.Column("rewarded", sa.String(64)),
        sa.Column("hidden", sa.Boolean, server_default=sa.false(), nullable=False),
    )
    op.create_index("season_standings_player", "season_standings", ["player_id", "board", "start"])
    op.create_index("season_standings_score", "season_standings", ["board", "start", "score", "position"])
    op.create_index("season_standings_hidden", "season_standings", ["board", "start", "position"],
                    postgresql_where=sa.text("hidden"))  # fmt: skip
    op.create_index("season_standings_unrewarded", "season_standings", ["board", "start", "position"],
                    postgresql_where=sa.text("reward is not null and rewarded is null"))  # fmt: skip
