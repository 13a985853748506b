"""What the table groups share: their metadata, and the tables that each group has, of owned slots, marks and lineage.

Several groups may lie in one Postgres database, so each has tables of its own for that.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

control = MetaData()

accounts = MetaData()

players = MetaData()

items = MetaData()

METADATA = {"control": control, "accounts": accounts, "players": players, "items": items}

Time = DateTime(timezone=True)

TXID = text("pg_current_xact_id()::text::bigint")


def owned_slots(group: str, metadata: MetaData, *indexes: Index) -> Table:
    """The slots that this database may write; rows are never deleted, and epochs only rise.

    `txid` is the transaction that changed the row last, by which followers see what was granted.
    """
    return Table(
        f"{group}_owned_slots",
        metadata,
        Column("slot", SmallInteger, primary_key=True, autoincrement=False),
        Column("owned", Boolean, nullable=False),
        Column("epoch", BigInteger, nullable=False),
        Column("txid", BigInteger, nullable=False, server_default=TXID),
        *indexes,
    )


def marks(group: str, metadata: MetaData) -> Table:
    """Written on a move's source in the transaction of the fence; a mark seen on the target proves what came before."""
    return Table(
        f"{group}_marks",
        metadata,
        Column("slot", SmallInteger, primary_key=True, autoincrement=False),
        Column("move", BigInteger, primary_key=True, autoincrement=False),
        Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    )


def lineage(group: str, metadata: MetaData) -> Table:
    """One row: the system and timeline on which the group was last compared with the slot map (`sharding/lineage`).

    `unseen` names the databases that didn't answer meanwhile, separated by commas; on the control database only.
    """
    return Table(
        f"{group}_lineage",
        metadata,
        Column("id", SmallInteger, primary_key=True, autoincrement=False),
        Column("system", BigInteger, nullable=False),
        Column("timeline", BigInteger, nullable=False),
        Column("unseen", Text, nullable=False),
    )


def identity(group: str, metadata: MetaData) -> Table:
    """One row: the deployment that the database is of, and its name there (`sharding/identity`)."""
    return Table(
        f"{group}_identity",
        metadata,
        Column("id", SmallInteger, primary_key=True, autoincrement=False),
        Column("deployment", String(36), nullable=False),
        Column("name", String(64), nullable=False),
    )
