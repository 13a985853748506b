"""Queries of rankings that operators save for each other."""

import sqlalchemy as sa
from alembic import op

revision = "control_0013"
down_revision = "control_0012"


def upgrade() -> None:
    op.create_table(
        "saved_queries",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("query", sa.dialects.postgresql.JSON, nullable=False),
        sa.Column("admin", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
    )
