"""Counts and checksums of a slot's rows, by which a move is verified before its flip.

Law: a table's checksum is the sum of its rows' hashes, so it doesn't depend on their order and can be added to. Ledger
rows never change: they are summed before the fence, in pieces, and brought up to date until little is left, so that
only what was written in the last moment is summed under it. So the length of the pause depends on what changes, not on
how much there is (as in Ghostferry). Transaction ids, which each server assigns itself, are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import asyncpg
from sqlalchemy import Table

from gameserver.storage import tables
from gameserver.storage.ledger.snapshot import Snapshot
from gameserver.storage.sharding.pieces import SECONDS, pieces

PASSES = 10
"""How often a base is brought up to date, until more is written than can be summed up."""
TRANSACTIONS = 100_000
"""Whose rows one statement sums up while a base is brought up to date."""
SNAPSHOT = "select pg_current_snapshot()::text"
SINCE = "txid >= ${0} and (txid >= ${1} or txid = any(${2}::bigint[]))"
"""Of rows that a snapshot lacks, by its `lowest`, `xmax` and `running`."""
ENDED = "txid < ${0} and txid <> all(${1}::bigint[])"
"""Of rows that a snapshot has, by its `xmax` and `running`, which every later statement finds, too."""


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
            for name in self._differing(other)
        ]

    def may_lack_changes(self, other: "Digest", base: "Digest") -> bool:
        """Whether it is only the contents that differ, of as many rows, and only in tables that a base has summed."""
        return all(
            name in base.tables and self.tables[name][0] == other.tables[name][0] for name in self._differing(other)
        )

    def _differing(self, other: "Digest") -> list[str]:
        return [name for name in self.tables if self.tables[name] != other.tables[name]]


@dataclass(frozen=True, slots=True)
class Base:
    """The digest, as of a snapshot, of the tables whose rows nothing changes but an erasure."""

    snapshot: Snapshot
    digest: Digest
    is_fresh: bool = False
    """Whether one statement was enough to bring it up to date."""


def moved_tables(group: str) -> list[Table]:
    """The tables whose rows move with a slot of the group."""
    own = {f"{group}_{what}" for what in ("owned_slots", "marks", "lineage", "identity", "editions")}
    local = {*own, "traced_actions"}
    return [table for table in tables.METADATA[group].sorted_tables if table.name not in local]


def columns(table: Table) -> list[str]:
    """The columns that are the same on every database."""
    return [column.name for column in table.columns if not column.name.endswith("txid")]


async def base(connection: asyncpg.Connection, group: str, slot: int) -> Base:
    """Digests the tables whose rows never change, however long that takes; to be called before the fence."""
    snapshot = await _now(connection)
    sums = {}
    for table in _append_only(group):
        parts = []
        async for piece in pieces(connection, table, slot):
            condition = f"{piece.condition} and {ENDED.format(len(piece.values) + 1, len(piece.values) + 2)}"
            values = [*piece.values, snapshot.xmax, list(snapshot.running)]
            parts.append(await _sum(connection, table, condition, values))
        sums[table.name] = _added(parts)
    return Base(snapshot, Digest(sums))


async def renewed(connection: asyncpg.Connection, group: str, slot: int, known: Base) -> Base:
    """The base with what has been written since, over the same connection; still before the fence."""
    snapshot, before = await _now(connection), known.snapshot
    condition = f"slot = $1 and {SINCE.format(2, 3, 4)} and {ENDED.format(5, 6)} and txid < $7"
    # From step to step, the first one with what was under way then.
    steps = [*range(before.xmax, snapshot.xmax, TRANSACTIONS), snapshot.xmax]
    bounds = list(pairwise([before.lowest, *steps[1:]])) or [(before.lowest, snapshot.xmax)]
    sums = {}
    for table in _append_only(group):
        parts = [known.digest.tables[table.name]]
        for first, end in bounds:
            values = [slot, first, before.xmax, list(before.running), snapshot.xmax, list(snapshot.running), end]
            parts.append(await _sum(connection, table, condition, values))
        sums[table.name] = _added(parts)
    return Base(snapshot, Digest(sums), is_fresh=len(bounds) == 1)


async def whole(connection: asyncpg.Connection, group: str, slot: int, known: Base) -> Digest:
    """Digests all rows of a fenced slot, adding to `known` what has been written since."""
    since, sums = known.snapshot, {}
    newer = f"slot = $1 and {SINCE.format(2, 3, 4)}"
    for table in moved_tables(group):
        if table.name in known.digest.tables:
            values = [slot, since.lowest, since.xmax, list(since.running)]
            new = await _sum(connection, table, newer, values)
            sums[table.name] = _added([known.digest.tables[table.name], new])
        else:
            sums[table.name] = await _sum(connection, table, "slot = $1", [slot])
    return Digest(sums)


def _append_only(group: str) -> list[Table]:
    """The tables whose rows never change: they have a column for the transaction that wrote the row."""
    return [table for table in moved_tables(group) if "txid" in table.columns]


async def _now(connection: asyncpg.Connection) -> Snapshot:
    return Snapshot.parse(await connection.fetchval(SNAPSHOT, timeout=SECONDS))


async def _sum(
    connection: asyncpg.Connection, table: Table, condition: str, values: Sequence[object]
) -> tuple[int, int]:
    row = ", ".join(f't."{name}"' for name in columns(table))
    query = (
        f"select count(*) as rows, coalesce(sum(hashtextextended(row({row})::text, 0)::numeric), 0) as total "  # noqa: S608
        f'from "{table.name}" t where {condition}'
    )
    sums = await connection.fetchrow(query, *values, timeout=SECONDS)
    return int(sums["rows"]), int(sums["total"])


def _added(parts: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(rows for rows, _ in parts), sum(total for _, total in parts)
