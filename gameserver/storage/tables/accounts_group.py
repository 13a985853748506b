"""Tables of the group `accounts`: the claims that make a player's keys unique."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    SmallInteger,
    String,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import UUID

from gameserver.storage.tables.groups import Time, accounts, identity, lineage, marks, owned_slots

accounts_owned_slots = owned_slots("accounts", accounts)

accounts_marks = marks("accounts", accounts)

accounts_lineage = lineage("accounts", accounts)
accounts_identity = identity("accounts", accounts)

claims = Table(
    "claims",
    accounts,
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("player_id", BigInteger, nullable=False),
    Column("command_id", UUID(as_uuid=False), nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("deadline", Time, nullable=False),
    Index("claims_unconfirmed", "deadline", postgresql_where=text("not confirmed")),
)
