"""Counts and checksums of a slot's rows, by which a move is verified before its flip.

Law: a table's checksum is the sum of its rows' hashes, so it doesn't depend on their order and can be added to. Ledger
rows never change: they are summed before the fence, and only those written since are summed under it. So the length of
the pause depends on what changes, not on how much there is (as in Ghostferry). Transaction ids, which each server
assigns itself, are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy import Table

from gameserver.storage import tables
from gameserver.storage.ledger.snapshot import Snapshot

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Digest:
    """Rows and the sum of their hashes, by table."""

    tables: Mapping[str, tuple[int, int]]

    def rows(self) -> int:
        return sum(count for count, _ in self.tables.values())

    def differences(self, other: "Digest") -> list[str]:
        """How two digests of the same slot differ, one phrase per table."""
        return [
            f"{name}: {self.tables[name][0]} rows on the source, {other.tables[name][0]} on the target"
            + ("" if self.tables[name][0] != other.tables[name][0] else ", whose contents differ")
            for name in self.tables
            if self.tables[name] != other.tables[name]
        ]


@dataclass(frozen=True, slots=True)
class Base:
    """The digest, as of a snapshot, of the tables whose rows never change."""

    snapshot: Snapshot
    digest: Digest


def moved_tables(group: str) -> list[Table]:
    """The tables whose rows move with a slot of the group."""
    local = {f"{group}_owned_slots", f"{group}_marks", f"{group}_lineage", f"{group}_editions"}
    return [table for table in tables.METADATA[group].sorted_tables if table.name not in local]


def columns(table: Table) -> list[str]:
    """The columns that are the same on every database."""
    return [column.name for column in table.columns if not column.name.endswith("txid")]


async def base(connection: asyncpg.Connection, group: str, slot: int) -> Base:
    """Digests the tables whose rows never change; to be called before the fence."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        snapshot = Snapshot.parse(await connection.fetchval("select pg_current_snapshot()::text"))
        return Base(
            snapshot, Digest({table.name: await _sum(connection, table, slot) for table in _append_only(group)})
        )


async def whole(connection: asyncpg.Connection, group: str, slot: int, known: Base) -> Digest:
    """Digests all rows of a fenced slot, adding to `known` what has been written since."""
    sums = {}
    for table in moved_tables(group):
        if table.name in known.digest.tables:
            count, total = known.digest.tables[table.name]
            more, rest = await _sum(connection, table, slot, known.snapshot)
            sums[table.name] = count + more, total + rest
        else:
            sums[table.name] = await _sum(connection, table, slot)
    return Digest(sums)


def _append_only(group: str) -> list[Table]:
    """The tables whose rows never change: they have a column for the transaction that wrote the row."""
    return [table for table in moved_tables(group) if "txid" in table.columns]


async def _sum(
    connection: asyncpg.Connection, table: Table, slot: int, since: Snapshot | None = None
) -> tuple[int, int]:
    row = ", ".join(f't."{name}"' for name in columns(table))
    query = (
        f"select count(*) as rows, coalesce(sum(hashtextextended(row({row})::text, 0)::numeric), 0) as total "  # noqa: S608
        f'from "{table.name}" t where t.slot = $1'
    )
    if since is None:
        sums = await connection.fetchrow(query, slot, timeout=SECONDS)
    else:
        newer = query + " and (t.txid >= $2 or t.txid = any($3::bigint[]))"
        sums = await connection.fetchrow(newer, slot, since.xmax, list(since.running), timeout=SECONDS)
    return int(sums["rows"]), int(sums["total"])
