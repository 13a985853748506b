"""Every rulebook that nodes have played by, under a small number that ledger rows carry."""

import sqlalchemy as sa
from alembic import op

revision = "control_0012"
down_revision = "control_0010"


def upgrade() -> None:
    op.create_table(
        "rulebooks",
        sa.Column("number", sa.SmallInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("game_hash", sa.String(64), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("game", sa.Text, nullable=False),
        sa.Column(
            "first_used_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
        ),
        sa.UniqueConstraint("game_hash", "code_hash", name="rulebooks_hashes"),
    )
