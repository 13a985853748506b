"""The slot map."""

import sqlalchemy as sa
from alembic import op

revision = "control_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "slots",
        sa.Column("group", sa.String(32), primary_key=True),
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("database", sa.String(64), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
