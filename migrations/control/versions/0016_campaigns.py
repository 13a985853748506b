"""Letters of operators to many players: whom, what, and how far the sending has come."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSON, UUID

revision = "control_0016"
down_revision = "control_0015"


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", UUID(as_uuid=False), primary_key=True),
        sa.Column("admin", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("filter", JSON, nullable=False),
        sa.Column("text", sa.String(1000), nullable=False),
        sa.Column("items", JSON, nullable=False),
        sa.Column("counted", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("agreed_by", sa.String(64)),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("slot", sa.Integer, server_default="0", nullable=False),
        sa.Column("after", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("pending", ARRAY(sa.BigInteger)),
        sa.Column("next_slot", sa.Integer, server_default="0", nullable=False),
        sa.Column("next_after", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("arrived", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("refused", sa.BigInteger, server_default="0", nullable=False),
    )
    op.create_index(
        "campaigns_due",
        "campaigns",
        ["at"],
        postgresql_where=sa.text("state = 'running' or pending is not null"),
    )
