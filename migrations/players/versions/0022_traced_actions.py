"""The spans of actions that are traced, for the followers of the ledger; they are lost in a crash, which is fine."""

import sqlalchemy as sa
from alembic import op

revision = "players_0022"
down_revision = "players_0021"


def upgrade() -> None:
    op.create_table(
        "traced_actions",
        sa.Column("txid", sa.BigInteger, nullable=False),
        sa.Column("player_id", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("context", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Index("traced_actions_txid", "txid"),
        prefixes=["unlogged"],
    )
