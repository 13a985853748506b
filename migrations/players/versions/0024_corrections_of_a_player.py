"""What operators have undone of a player is found without reading all of its ledger: an index of these rows alone.

The index waits for no play, and play for no index: it is built `concurrently`, on one partition of the ledger after the
other. Partitions that are made meanwhile get it as they are attached.
"""

import sqlalchemy as sa
from alembic import op

revision = "players_0024"
down_revision = "players_0023"

ROWS = "(slot, player_id) where action in ('operator:undo', 'operator:roll_back')"
PARTITIONS = """
select p.relname from pg_inherits i join pg_class p on p.oid = i.inhrelid
where i.inhparent = 'ledger'::regclass and not exists (
    select from pg_inherits x join pg_index n on n.indexrelid = x.inhrelid
    where x.inhparent = 'ledger_corrections'::regclass and n.indrelid = p.oid
)
order by p.relname
"""


def upgrade() -> None:
    op.execute(f"create index if not exists ledger_corrections on only ledger {ROWS}")
    with op.get_context().autocommit_block():
        for partition in op.get_bind().execute(sa.text(PARTITIONS)).scalars().all():
            # An index of an upgrade that was cut off is in the way, and not valid.
            op.execute("set lock_timeout = 0")
            op.execute(f"drop index concurrently if exists {partition}_corrections")
            op.execute(f"create index concurrently {partition}_corrections on {partition} {ROWS}")
            op.execute("set lock_timeout = '1s'")
            op.execute(f"alter index ledger_corrections attach partition {partition}_corrections")
