"""Which server and timeline these tables were compared with the slot map on."""

from gameserver.storage.tables.movable import have_lineage

revision = "players_0016"
down_revision = "players_0015"


def upgrade() -> None:
    have_lineage("players")
