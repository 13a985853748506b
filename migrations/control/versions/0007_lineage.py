"""Which server and timeline these tables were compared with the slot map on."""

from gameserver.storage.tables.movable import have_lineage

revision = "control_0007"
down_revision = "control_0006"


def upgrade() -> None:
    have_lineage("control")
