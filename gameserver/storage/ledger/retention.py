"""Drops the ledger's old partitions, online, and keeps of each what must outlive it.

Law: before a partition is dropped, `ledger_kept` has of every player that the database owns its sign-up (which names
its devices), and the last row that took effect: the state from which what is left of its history goes on, and by which
a follower that has been away since learns that the player changed. Nothing is dropped while slots move to or from the
database, as a move is verified by sums over the ledger; a move that is about to begin waits for a chunk of players, not
for a partition (`kept_whole`). An operator's own tables stay, whatever their names; what an operator has made of a week
holds it up, with the reason in the log. Whatever is killed at any step, the next run goes on from there. A partition is
detached concurrently, so no writer waits. Void rows of sign-ups go with the ledger's rows of their time: under ids as
old as that the database makes no player any more (accounts/birth_writes.py).
"""

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
import structlog
from sqlalchemy import text

from gameserver.storage.ids import LARGEST_ID, first_player_id
from gameserver.storage.ledger.partitions import end_of, names_a_week
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import FENCES, FORGETTING, KEEPING
from gameserver.storage.postgres.patience import TRANSACTION
from gameserver.storage.postgres.sole_locks import SoleLock, end_frozen
from gameserver.telemetry import LEDGER_WEEKS_DROPPED, LEDGER_WEEKS_OVERDUE

SQL = statements.load(__package__, "retention.sql")
STATEMENT_SECONDS = 60.0
SETTINGS = {
    "statement_timeout": "60000",
    "lock_timeout": "5000",
    "idle_session_timeout": "4000",
    "idle_in_transaction_session_timeout": "4000",
    TRANSACTION: "65000",
}
"""In milliseconds: detaching waits for the transactions under way; a move waits no longer for one that froze."""
LOCK = "select pg_advisory_lock_shared($1)"
DEBTS = {
    "letters": "a letter to be delivered",
    "reservations": "items to be settled",
    "rewards": "a season whose rewards haven't all been settled",
    "campaigns": "a campaign that isn't over",
}
"""By the statement that finds the oldest of its kind."""
PLAYERS = 200
"""Whose rows are kept in one transaction."""
REFUSALS = (
    asyncpg.DependentObjectsStillExistError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
"""What an operator has done holds up a week: a view of it, another owner, a default partition."""
VOID_ROWS = 1000
"""Deleted in one transaction."""
log = structlog.get_logger()


class Debt(NamedTuple):
    """The moment from which the ledger's rows are needed, and by what."""

    since: datetime
    what: str


@dataclass(frozen=True, slots=True)
class RetentionTerms:
    """How long the ledger is kept, the time by the node's clock, and from when on it is needed, whatever its age.

    The database's own clock decides, or the node's if that is behind: a clock that was set ahead drops nothing.
    """

    keep: timedelta
    now: datetime
    needed: Debt | None = None


@dataclass(frozen=True, slots=True)
class Debtors:
    """The databases that know of something whose second try is told by the ledger from its first."""

    players: Sequence[Database]
    items: Sequence[Database]
    control: Database


async def oldest_debt(debtors: Debtors) -> Debt | None:
    """The oldest of what may be delivered, or settled, once more, and must be known by its ledger row then.

    That is a letter in an outbox, a reserved item, a reward, a campaign's letter. Raises DatabaseUnavailable.
    """
    queries = [(database, "letters") for database in debtors.players]
    queries += [(database, "reservations") for database in debtors.items]
    queries += [(debtors.control, "rewards"), (debtors.control, "campaigns")]
    debts = []
    for database, query in queries:
        async with database.snapshot() as connection:
            since = (await connection.execute(text(SQL[query]))).scalar()
        if since is not None:
            debts.append(Debt(since, DEBTS[query]))
    return min(debts, default=None)


async def forget_old(database: Database, terms: RetentionTerms) -> int:
    """Drops the partitions whose command ids are all older than the terms say, and void rows of that age.

    Returns how many partitions: none while another node does so, or while slots are moved. Raises DatabaseUnavailable.
    """
    with translated(database.name):
        async with _alone(database) as connection:
            if connection is None:
                return 0
            due = await connection.fetchval(SQL["due"], terms.now, terms.keep)
            overdue = await weeks_before(connection, due)
            before = min(terms.needed or Debt(due, ""), Debt(due, ""))
            dropped, reason = await _forget(database, connection, overdue, before)
    if overdue[dropped:]:
        log.warning("old weeks of the ledger stay", database=database.name, weeks=len(overdue) - dropped, why=reason)
    LEDGER_WEEKS_OVERDUE.labels(database.name).set(len(overdue) - dropped)
    return dropped


async def weeks_before(connection: asyncpg.Connection, before: datetime) -> Sequence[asyncpg.Record]:
    """The partitions of weeks that ended by then, oldest first: each one's `name` and `state`."""
    rows = await connection.fetch(SQL["partitions"])
    return [row for row in rows if names_a_week(row["name"]) and end_of(row["name"]) <= before]


@contextlib.asynccontextmanager
async def kept_whole(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """The connection's database drops nothing during the block, in which a move makes itself known there.

    Waits until the one who drops there has noticed, and ends its session if it is frozen. Raises what the driver does,
    also when the lock isn't free in time. After an error in the block the lock is free once the connection is closed.
    """
    try:
        await connection.execute(LOCK, FORGETTING, timeout=STATEMENT_SECONDS)
    except asyncpg.LockNotAvailableError:
        await end_frozen(connection, FORGETTING)
        await connection.execute(LOCK, FORGETTING, timeout=STATEMENT_SECONDS)
    yield
    await connection.execute("select pg_advisory_unlock_shared($1)", FORGETTING)


@contextlib.asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[asyncpg.Connection | None]:
    """A connection that holds the lock of this work; None while another one, or a move that begins, does."""
    connection = await database.connect(SETTINGS)
    try:
        yield connection if await SoleLock(FORGETTING).take(connection) else None
    finally:
        connection.terminate()


async def _forget(
    database: Database, connection: asyncpg.Connection, overdue: Sequence[asyncpg.Record], before: Debt
) -> tuple[int, str]:
    """Drops what may be dropped; how many partitions, and why the next one stays."""
    if await connection.fetchval(SQL["moving"]):
        return 0, "slots are being moved from or to the database"
    for number, row in enumerate(overdue):
        if end_of(row["name"]) > before.since:
            return number, f"{before.what} may need them, from {before.since:%Y-%m-%d} on"
        began = time.monotonic()
        try:
            kept = await _drop(connection, row["name"], row["state"])
        except REFUSALS as error:
            return number, f"Postgres refuses to drop {row['name']}: {error.detail or error}"
        if kept is None:
            return number, "a move of slots is about to begin"
        LEDGER_WEEKS_DROPPED.labels(database.name).inc()
        seconds = round(time.monotonic() - began, 3)
        log.info("an old week of the ledger is dropped", database=database.name, partition=row["name"],
                 rows_kept=kept, seconds=seconds)  # fmt: skip
    await _free(connection, before.since)
    return len(overdue), ""


async def _drop(connection: asyncpg.Connection, name: str, state: str) -> int | None:
    """Drops a partition; how many of its rows are kept, or None if a move is to begin first."""
    kept: int | None = 0
    if state == "attached" and (kept := await _keep(connection, name)) is None:
        return None
    if state != "detached":
        how = "concurrently" if state == "attached" else "finalize"
        await connection.execute(f"alter table ledger detach partition {name} {how}", timeout=STATEMENT_SECONDS)
    await connection.execute(f"drop table {name}", timeout=STATEMENT_SECONDS)
    return kept


async def _keep(connection: asyncpg.Connection, partition: str) -> int | None:
    """Keeps what must outlive a partition; how many rows, or None if a move waits."""
    rows, keep = 0, SQL["keep"].format(partition=partition)
    for slot in [row["slot"] for row in await connection.fetch(SQL["slots"])]:
        last = -1
        while last < LARGEST_ID:
            if await connection.fetchval(SQL["awaited"], FORGETTING):
                return None
            async with _fenced(connection):
                await connection.execute("select pg_advisory_xact_lock($1)", KEEPING)
                after, last = last, await connection.fetchval(SQL["chunk"], slot, last, PLAYERS) or LARGEST_ID
                rows += _count(await connection.execute(keep, slot, after, last, timeout=STATEMENT_SECONDS))
                await connection.execute(SQL["forget"], slot, after, last, timeout=STATEMENT_SECONDS)
    return rows


async def _free(connection: asyncpg.Connection, before: datetime) -> None:
    """Deletes void rows of sign-ups from before this moment, unless a move waits."""
    lowest, deleted = first_player_id(int(before.timestamp() * 1000)), VOID_ROWS
    while deleted == VOID_ROWS and not await connection.fetchval(SQL["awaited"], FORGETTING):
        async with _fenced(connection):
            deleted = _count(await connection.execute(SQL["free"], lowest, VOID_ROWS, timeout=STATEMENT_SECONDS))


@contextlib.asynccontextmanager
async def _fenced(connection: asyncpg.Connection) -> AsyncIterator[None]:
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock_shared($1)", FENCES["players"])
        yield


def _count(status: str) -> int:
    """The rows of a command's status, as in `INSERT 0 5`."""
    return int(status.rpartition(" ")[2])
