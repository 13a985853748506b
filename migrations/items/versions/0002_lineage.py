"""Which server and timeline these tables were compared with the slot map on."""

from gameserver.storage.tables.movable import have_lineage

revision = "items_0002"
down_revision = "items_0001"


def upgrade() -> None:
    have_lineage("items")
