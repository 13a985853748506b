"""Ownership of slots, and claims."""

import sqlalchemy as sa
from alembic import op

revision = "accounts_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts_owned_slots",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("owned", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "claims",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("key", sa.String(128), primary_key=True),
        sa.Column("player_id", sa.BigInteger, nullable=False),
        sa.Column("command_id", sa.UUID, nullable=False),
        sa.Column("confirmed", sa.Boolean, nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("claims_unconfirmed", "claims", ["deadline"], postgresql_where=sa.text("not confirmed"))
