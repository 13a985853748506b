"""What every group needs so that its slots can be moved, and compared with the map; used by the migrations."""

import sqlalchemy as sa
from alembic import op

TXID = sa.text("pg_current_xact_id()::text::bigint")


def make_movable(group: str) -> None:
    """Adds to the group's owned slots the transaction that changed them, and the table of a move's marks.

    What is owned already counts as changed long ago: a follower would read every player again, in one turn.
    """
    owned = f"{group}_owned_slots"
    op.add_column(owned, sa.Column("txid", sa.BigInteger, nullable=False, server_default="0"))
    op.alter_column(owned, "txid", server_default=TXID)
    op.create_table(
        f"{group}_marks",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("move", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    )


def have_lineage(group: str) -> None:
    """Adds the table of the group's lineage, empty: the first comparison with the slot map fills it."""
    op.create_table(
        f"{group}_lineage",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("system", sa.BigInteger, nullable=False),
        sa.Column("timeline", sa.BigInteger, nullable=False),
        sa.Column("unseen", sa.Text, nullable=False),
    )


def have_identity(group: str) -> None:
    """Adds the table of whose deployment the group is, and under which name, empty: `migrate` fills it."""
    op.create_table(
        f"{group}_identity",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("deployment", sa.String(36), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
    )
