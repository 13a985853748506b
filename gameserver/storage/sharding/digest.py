"""Counts and checksums of a slot's rows, by which a move is verified before its flip.

A table's checksum is the sum of its rows' hashes, so it doesn't depend on their order and can be added up: of the
ledger, whose rows never change, all but the newest are summed before the fence, and only what has come since under
it. So the pause costs what changes and not what there is (after Ghostferry). Server-made transaction ids are left
out.
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
        """Where two digests of the same slot differ, a sentence each."""
        return [
            f"{name}: {self.tables[name][0]} rows on the source, {other.tables[name][0]} on the target"
            + ("" if self.tables[name][0] != other.tables[name][0] else ", whose contents differ")
            for name in self.tables
            if self.tables[name] != other.tables[name]
        ]


@dataclass(frozen=True, slots=True)
class Base:
    """What was summed up of the rows that never change, as of a snapshot."""

    snapshot: Snapshot
    digest: Digest


def moved_tables(group: str) -> list[Table]:
    """What moves with a slot of the group."""
    own = {f"{group}_owned_slots", f"{group}_marks"}
    return [table for table in tables.METADATA[group].sorted_tables if table.name not in own]


def columns(table: Table) -> list[str]:
    """What of a row is the same on every database."""
    return [column.name for column in table.columns if column.name != "txid"]


async def base(connection: asyncpg.Connection, group: str, slot: int) -> Base:
    """Sums up the rows that never change, before the fence."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        snapshot = Snapshot.parse(await connection.fetchval("select pg_current_snapshot()::text"))
        return Base(snapshot, Digest({each.name: await _sum(connection, each, slot) for each in _grown(group)}))


async def whole(connection: asyncpg.Connection, group: str, slot: int, known: Base) -> Digest:
    """All rows of a slot that nobody writes any more, `known` being summed up already."""
    found = {}
    for table in moved_tables(group):
        if table.name in known.digest.tables:
            count, total = known.digest.tables[table.name]
            more, rest = await _sum(connection, table, slot, known.snapshot)
            found[table.name] = count + more, total + rest
        else:
            found[table.name] = await _sum(connection, table, slot)
    return Digest(found)


def _grown(group: str) -> list[Table]:
    """The tables whose rows never change, which tell the transaction that wrote them."""
    return [table for table in moved_tables(group) if "txid" in table.columns]


async def _sum(
    connection: asyncpg.Connection, table: Table, slot: int, since: Snapshot | None = None
) -> tuple[int, int]:
    row = ", ".join(f't."{name}"' for name in columns(table))
    chosen = (
        f"select count(*) as rows, coalesce(sum(hashtextextended(row({row})::text, 0)::numeric), 0) as total "  # noqa: S608
        f'from "{table.name}" t where t.slot = $1'
    )
    if since is None:
        found = await connection.fetchrow(chosen, slot, timeout=SECONDS)
    else:
        newer = chosen + " and (t.txid >= $2 or t.txid = any($3::bigint[]))"
        found = await connection.fetchrow(newer, slot, since.xmax, list(since.running), timeout=SECONDS)
    return int(found["rows"]), int(found["total"])
