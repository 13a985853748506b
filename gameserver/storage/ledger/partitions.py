"""The ledger's partitions, a week of command ids each."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import Conflict
from gameserver.storage.ids import first_command_id
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.locks import MAKING_PARTITIONS

WEEKS_AHEAD = 4
"""How far ahead of time partitions are made."""
NAME = "ledger_%Y%m%d"
WEEK = timedelta(weeks=1)
MISSING = """
    select name from unnest(cast(:names as text[])) as names(name)
    where not exists (select from pg_class where relname = name and relnamespace = 'public'::regnamespace)
    order by name
"""
"""By a query of the catalogue, which sees what others committed while this one waited; `to_regclass` remembers."""
PARTITIONS = "select inhrelid::regclass::text from pg_inherits where inhparent = 'ledger'::regclass"


def _week_start(moment: datetime) -> datetime:
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def weeks(now: datetime, back: timedelta) -> list[datetime]:
    """The Mondays (UTC) whose weeks hold the command ids from `back` before now to WEEKS_AHEAD after it."""
    first, last = _week_start(now - back), _week_start(now + timedelta(weeks=WEEKS_AHEAD))
    return [first + timedelta(weeks=number) for number in range((last - first).days // 7 + 1)]


def end_of(partition: str) -> datetime:
    """The end of a partition's week. Raises ValueError for what isn't one."""
    return datetime.strptime(f"{partition}+0000", f"{NAME}%z") + WEEK


def names_a_week(table: str) -> bool:
    """Whether its name is a Monday's; another table is an operator's."""
    try:
        return end_of(table).weekday() == 0
    except ValueError:
        return False


async def ensure_partitions(database: Database, now: datetime, back: timedelta) -> int:
    """Makes the partitions that are missing for commands of the window and of the weeks ahead; how many."""
    return await _make(database, weeks(now, back))


async def copy_partitions(source: Database, target: Database, slots: Sequence[int]) -> int:
    """Makes the partitions of weeks that the source has and the target lacks; how many.

    Raises Conflict for rows of these slots in a partition of an operator's own that the target lacks: it could store
    them nowhere.
    """
    async with target.transaction() as connection:
        there = set((await connection.execute(text(PARTITIONS))).scalars())
    async with source.transaction() as connection:
        names = (await connection.execute(text(PARTITIONS))).scalars().all()
        for name in names:
            if name in there or names_a_week(name):
                continue
            moved = text(f"select exists (select from {name} where slot = any(cast(:slots as smallint[])))")  # noqa: S608
            if (await connection.execute(moved, {"slots": list(slots)})).scalar():
                raise Conflict(
                    f"{source.name} has rows of the ledger in {name}, which is no week's partition, and {target.name} "
                    "has none of this name: make it there, or bring its rows into the partitions of their weeks."
                )
    return await _make(target, [end_of(name) - WEEK for name in names if names_a_week(name)])


async def _make(database: Database, mondays: Sequence[datetime]) -> int:
    """Makes missing partitions; attached rather than created in place, which would lock out every writer."""
    async with database.transaction() as connection:
        if not await _missing(connection, mondays):
            return 0
        await connection.execute(text(f"select pg_advisory_xact_lock({MAKING_PARTITIONS})"))
        await connection.execute(text("set local lock_timeout = '1s'"))
        missing = await _missing(connection, mondays)
        for monday in missing:
            name = monday.strftime(NAME)
            low, high = (first_command_id(int(day.timestamp() * 1000)) for day in (monday, monday + WEEK))
            await connection.execute(
                text(f"create table {name} (like ledger including defaults including constraints)")
            )
            await connection.execute(
                text(f"alter table ledger attach partition {name} for values from ('{low}') to ('{high}')")
            )
    return len(missing)


async def _missing(connection: AsyncConnection, mondays: Sequence[datetime]) -> list[datetime]:
    """Those whose partition isn't there."""
    by_name = {monday.strftime(NAME): monday for monday in mondays}
    names = await connection.execute(text(MISSING), {"names": list(by_name)})
    return [by_name[name] for name in names.scalars()]
