"""Names of the game that players may hold, and a board's definition with each of its seasons."""

import sqlalchemy as sa
from alembic import op

revision = "control_0005"
down_revision = "control_0004"


def upgrade() -> None:
    op.create_table(
        "game_names",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
    )
    op.add_column("seasons", sa.Column("definition", sa.JSON(none_as_null=True)))
