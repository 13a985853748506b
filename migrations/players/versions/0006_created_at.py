"""An index for rankings by age: what it is on never changes, so updates stay HOT."""

from gameserver.storage.tables import indexes

revision = "players_0006"
down_revision = "players_0005"


def upgrade() -> None:
    indexes.build("players_created_at", "players (created_at)")
