"""Of which deployment these tables are, and the name of their database there."""

from gameserver.storage.tables.movable import have_identity

revision = "players_0031"
down_revision = "players_0030"


def upgrade() -> None:
    have_identity("players")
