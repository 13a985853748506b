"""Friends of players."""

import sqlalchemy as sa
from alembic import op

revision = "players_0008"
down_revision = "players_0007"


def upgrade() -> None:
    op.create_table(
        "friends",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("friend_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
    )
