"""What outlives the ledger's old partitions."""

import sqlalchemy as sa
from alembic import op

revision = "players_0012"
down_revision = "players_0011"


def upgrade() -> None:
    op.create_table(
        "ledger_kept",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("player_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("command_id", sa.UUID, primary_key=True),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("args", sa.JSON, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.JSON, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
