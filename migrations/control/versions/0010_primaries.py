"""Which system and timeline each database's primary had when it was seen last."""

import sqlalchemy as sa
from alembic import op

revision = "control_0010"
down_revision = "control_0009"


def upgrade() -> None:
    op.create_table(
        "primaries",
        sa.Column("database", sa.String(64), primary_key=True),
        sa.Column("system", sa.String(20), nullable=False),
        sa.Column("timeline", sa.Integer, nullable=False),
    )
