"""Databases that join at run time, the members of each group, and the moves of slots between them."""

import sqlalchemy as sa
from alembic import op

revision = "control_0003"
down_revision = "control_0002"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "databases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("url", sa.Text),
    )
    op.create_table(
        "members",
        sa.Column("group", sa.String(32), primary_key=True),
        sa.Column("database", sa.String(64), primary_key=True),
        sa.Column("draining", sa.Boolean, nullable=False),
    )
    _create_moves()
    op.create_table(
        "move_slots",
        sa.Column("move", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("group", sa.String(32), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("pause_ms", sa.Integer),
    )
    op.create_index("move_slots_open", "move_slots", ["group", "slot"], unique=True, postgresql_where=sa.text("open"))


def _create_moves() -> None:
    op.create_table(
        "moves",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("group", sa.String(32), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("mover", sa.String(128), nullable=False),
        sa.Column("lease", TIME, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("servers", sa.String(256), nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("made_at", TIME, server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("ended_at", TIME),
    )
