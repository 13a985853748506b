"""What every group needs so that its slots can be moved; used by the groups' histories."""

import sqlalchemy as sa
from alembic import op

TXID = sa.text("pg_current_xact_id()::text::bigint")


def make_movable(group: str) -> None:
    """Adds to the group's owned slots the transaction that changed them, and the table of a move's marks."""
    op.add_column(f"{group}_owned_slots", sa.Column("txid", sa.BigInteger, nullable=False, server_default=TXID))
    op.create_table(
        f"{group}_marks",
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("move", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    )
