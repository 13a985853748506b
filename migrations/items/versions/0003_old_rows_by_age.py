"""Settled rows of the item ledger are found by their age, as letters are (players_0028).

Only settled ones are in the index, so each row is entered once: when it is granted, or when it is settled.
"""

from gameserver.storage.tables import indexes

revision = "items_0003"
down_revision = "items_0002"


def upgrade() -> None:
    indexes.build("item_ledger_age", "item_ledger (at) where settled")
    indexes.drop("item_ledger_at")
