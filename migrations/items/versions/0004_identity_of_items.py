"""Of which deployment these tables are, and the name of their database there."""

from gameserver.storage.tables.movable import have_identity

revision = "items_0004"
down_revision = "items_0003"


def upgrade() -> None:
    have_identity("items")
