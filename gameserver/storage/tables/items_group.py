"""Tables of the group `items`: stacks, and the ledger of what was taken and granted."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    SmallInteger,
    String,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, UUID

from gameserver.storage.tables.groups import Time, identity, items, lineage, marks, owned_slots

items_owned_slots = owned_slots("items", items)

items_marks = marks("items", items)

items_lineage = lineage("items", items)
items_identity = identity("items", items)

stacks = Table(
    "stacks",
    items,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("item", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    CheckConstraint("count >= 0 and lost >= 0", name="stacks_range"),
    postgresql_with={"fillfactor": "80"},
)
"""A player's items; `lost` counts what was granted while the stack was full."""

item_ledger = Table(
    "item_ledger",
    items,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("player_id", BigInteger, primary_key=True, autoincrement=False),
    Column("command_id", UUID(as_uuid=False), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("items", JSON, nullable=False),
    Column("token", UUID(as_uuid=False), nullable=True),
    Column("settled", Boolean, nullable=False),
    Column("at", Time, nullable=False),
    Index("item_ledger_open", "slot", "player_id", "at", postgresql_where=text("not settled")),
    Index("item_ledger_age", "at", postgresql_where=text("settled")),
)
"""What commands took ('take', open until it is settled) and granted ('grant'), of players who lie elsewhere."""
