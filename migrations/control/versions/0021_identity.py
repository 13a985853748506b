"""Of which deployment these tables are, and the name of their database there."""

from gameserver.storage.tables.movable import have_identity

revision = "control_0021"
down_revision = "control_0020"


def upgrade() -> None:
    have_identity("control")
