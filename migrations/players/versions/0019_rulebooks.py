"""Which rulebook made a row of the ledger; null for rows from before, and for changes that no rule makes."""

import sqlalchemy as sa
from alembic import op

revision = "players_0019"
down_revision = "players_0018"


def upgrade() -> None:
    for table in ("ledger", "ledger_kept"):
        op.add_column(table, sa.Column("rules", sa.SmallInteger))
