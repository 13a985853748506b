"""Which command of an operator a move is part of, so that the command may be sent again."""

import sqlalchemy as sa
from alembic import op

revision = "control_0015"
down_revision = "control_0013"


def upgrade() -> None:
    op.add_column("moves", sa.Column("command_id", sa.String(36)))
    op.add_column("moves", sa.Column("part", sa.SmallInteger))
    op.create_index("moves_of_a_command", "moves", ["command_id", "part"], unique=True)
