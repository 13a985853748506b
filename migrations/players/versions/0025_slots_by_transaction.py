"""What was granted since a transaction is found by an index: each turn of a board's follower read every slot's row.

The index waits for no move, and no move for the index: it is built `concurrently`, on one row for each slot.
"""

from gameserver.storage.tables import indexes

revision = "players_0025"
down_revision = "players_0024"


def upgrade() -> None:
    indexes.build("players_owned_slots_txid", "players_owned_slots (txid)")
