"""Slots of claims can be moved."""

from gameserver.storage.tables.movable import make_movable

revision = "accounts_0002"
down_revision = "accounts_0001"


def upgrade() -> None:
    make_movable("accounts")
