"""What a follower that was away needs of dropped weeks, and an index for void rows, which are deleted with them."""

from alembic import op

from gameserver.storage.tables import indexes

revision = "players_0015"
down_revision = "players_0014"


def upgrade() -> None:
    op.execute("alter table ledger_kept add column if not exists ledger_txid bigint")
    indexes.build("ledger_kept_txid", "ledger_kept (ledger_txid)")
    indexes.build("players_void", "players (slot, id) where void and not deleted")
