"""Bans that haven't ended are found by their end, also once what follows their beginning has been done."""

from gameserver.storage.tables import indexes

revision = "players_0033"
down_revision = "players_0031"


def upgrade() -> None:
    indexes.build("bans_until", "bans (until) where ended_at is null")
