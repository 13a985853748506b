"""Letters and grants are found by where they go, so that those of one destination aren't passed over to read another's.

The slot of the recipient is in its id (storage/ids.py). The kind comes next: letters that no node delivers yet, and
grants to a slot whose items lie on another database than its players, are passed over neither.
"""

from gameserver.storage.tables import indexes

revision = "players_0029"
down_revision = "players_0028"


def upgrade() -> None:
    indexes.build("outbox_destination", "outbox (((recipient >> 10) & 4095), kind, at)")
