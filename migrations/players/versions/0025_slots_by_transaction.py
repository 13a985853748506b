"""What was granted since a transaction is found by an index: each turn of a board's follower read every slot's row.

The index waits for no move, and no move for the index: it is built `concurrently`, on one row for each slot.
"""

from alembic import op

revision = "players_0025"
down_revision = "players_0024"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        # An index of an upgrade that was cut off is in the way, and not valid.
        op.execute("drop index concurrently if exists players_owned_slots_txid")
        op.execute("create index concurrently players_owned_slots_txid on players_owned_slots (txid)")
        op.execute("set lock_timeout = '1s'")
