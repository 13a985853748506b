"""Since when payments of a player count: one that was reserved before has been given back, or is about to be."""

import sqlalchemy as sa
from alembic import op

revision = "players_0007"
down_revision = "players_0006"


def upgrade() -> None:
    op.create_table(
        "payment_epochs",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
