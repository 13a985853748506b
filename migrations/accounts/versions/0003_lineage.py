"""Which server and timeline these tables were compared with the slot map on."""

from gameserver.storage.tables.movable import have_lineage

revision = "accounts_0003"
down_revision = "accounts_0002"


def upgrade() -> None:
    have_lineage("accounts")
