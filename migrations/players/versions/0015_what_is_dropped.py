"""What a follower that was away needs of dropped weeks, and an index for void rows, which are deleted with them."""

import sqlalchemy as sa
from alembic import op

revision = "players_0015"
down_revision = "players_0014"


def upgrade() -> None:
    op.add_column("ledger_kept", sa.Column("ledger_txid", sa.BigInteger))
    op.create_index("ledger_kept_txid", "ledger_kept", ["ledger_txid"])
    op.create_index("players_void", "players", ["slot", "id"], postgresql_where=sa.text("void and not deleted"))
