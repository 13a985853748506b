"""Orders to put a rulebook in force from a moment on, on every node."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "control_0017"
down_revision = "control_0016"


def upgrade() -> None:
    op.create_table(
        "rule_orders",
        sa.Column("edition", sa.Integer, sa.Identity(always=True), primary_key=True),
        sa.Column("rulebook", sa.SmallInteger, nullable=False),
        sa.Column("prior", sa.SmallInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), server_default="preparing", nullable=False),
        sa.Column("step", sa.SmallInteger, server_default="1", nullable=False),
        sa.Column("command_id", UUID(as_uuid=False), nullable=False, unique=True),
        sa.Column("admin", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("problem", sa.String(500)),
        sa.Column("ordered_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
    )
