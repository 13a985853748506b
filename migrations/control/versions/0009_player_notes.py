"""Notes of operators on players."""

import sqlalchemy as sa
from alembic import op

revision = "control_0009"
down_revision = "control_0008"


def upgrade() -> None:
    op.create_table(
        "player_notes",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("player_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("admin", sa.String(64), nullable=False),
        sa.Column("text", sa.String(2000), nullable=False),
        sa.Column("command_id", sa.dialects.postgresql.UUID(as_uuid=False), nullable=False, unique=True),
    )
    op.create_index("player_notes_player", "player_notes", ["player_id", "id"])
