"""Sets databases up for nodes: tables at the heads of their histories, and an owner for every slot."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg
import structlog
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from gameserver.config import postgres_url
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage import tables
from gameserver.storage.ledger.partitions import ensure_partitions
from gameserver.storage.postgres import causes, durability, versions
from gameserver.storage.postgres.causes import Unfit
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.durability import Durability
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.replica import Replicas
from gameserver.storage.sharding import identity, lineage, placing
from gameserver.storage.sharding.primaries import PrimaryMemory
from gameserver.storage.sharding.recognizing import introduce, recognized
from gameserver.storage.sharding.reconciling import Reconciler, reconciled
from gameserver.storage.sharding.records import require_unmoved
from gameserver.storage.slots import slot_map
from gameserver.storage.tables import migrations
from gameserver.storage.tables.migrations import OutdatedDatabase

log = structlog.get_logger()


def open_databases(settings: Settings, *, patient: bool = False) -> Databases:
    """Every database that the settings name; `patient` for migrations, which take unfit ones. Raises ConfigFault."""

    async def vet(database: Database, connection: asyncpg.Connection) -> None:
        if faults := await faults_of(settings, database, connection):
            raise Unfit(_sentence(faults))

    urls = {name: settings.database_url(name) for name in settings.databases}
    judges = None if patient else lineage.judges(vet, settings.control.database)
    databases = Databases(urls, settings.passfile, patient=patient, judges=judges)
    databases.assign({"control": [settings.control.database]})
    return databases


def open_replicas(settings: Settings, databases: Databases) -> Replicas:
    """The replicas that the settings name, and the members of databases that fail over. Raises ConfigFault."""
    urls = {name: settings.replica_urls(name) for name in settings.databases}
    may_lead = [replica for name, own in urls.items() for replica, url in own.items() if _may_lead(settings, name, url)]
    return Replicas(databases, urls, settings.passfile, may_lead)


def _may_lead(settings: Settings, name: str, replica: SecretStr) -> bool:
    """Whether a replica of the database is one of the servers that may be its primary."""
    own = {place.address for place in postgres_url.places(settings.database_url(name))}
    return len(own) > 1 and {place.address for place in postgres_url.places(replica)} <= own


async def require_ready(settings: Settings, databases: Databases) -> None:
    """Refuses databases that nodes can't work on. Those that don't answer are judged when they do, by `connect`.

    Raises OutdatedDatabase, IncompleteMap, and DatabaseUnavailable for the control database.
    """
    control = databases[settings.control.database]
    named: Mapping[str, Sequence[str]] = {name: group.databases for name, group in settings.groups.items()}
    if not await _judged(settings, control):
        groups = await reconciled(reconciler_of(settings, databases), lambda: members(settings, databases))
        await PrimaryMemory(control, databases).recall()
        named = {group: [database.name for database in group_members] for group, group_members in groups.items()}
    databases.assign(named)
    verdicts = await asyncio.gather(
        *(_judged_if_it_answers(settings, databases[name]) for name in databases.names() if databases[name].groups)
    )
    if faults := [fault for verdict in verdicts for fault in verdict]:
        raise OutdatedDatabase(_sentence(faults))


async def require_control(settings: Settings, databases: Databases) -> None:
    """Refuses a control database that can't be used. Raises OutdatedDatabase, DatabaseUnavailable."""
    if faults := await _judged(settings, databases[settings.control.database]):
        raise OutdatedDatabase(_sentence(faults))
    control = databases[settings.control.database]
    await reconciled(reconciler_of(settings, databases), lambda: control.ask("select 1"))


def reconciler_of(settings: Settings, databases: Databases, author: tuple[str, str] | None = None) -> Reconciler:
    """What opens databases that were failed over or restored; in the audit log under `author`, who and why.

    Without one it is this node that does so, because they were.
    """
    own = (f"node {settings.node.title}", "failed over or restored")
    return Reconciler(databases, settings.control.database, author or own)


async def _judged_if_it_answers(settings: Settings, database: Database) -> Sequence[str]:
    try:
        return await _judged(settings, database)
    except DatabaseUnavailable as error:
        log.warning("a database is waited for beside service", database=database.name, error=error.detail)
        return ()


async def _judged(settings: Settings, database: Database) -> Sequence[str]:
    """What makes the database unfit for nodes. Raises DatabaseUnavailable."""
    with translated(database.name):
        async with database.vetting() as connection:
            if not (faults := await faults_of(settings, database, connection)):
                database.found_fit()
            return faults


async def faults_of(settings: Settings, database: Database, connection: asyncpg.Connection) -> Sequence[str]:
    """What makes the database of this connection unfit for nodes. Raises what the driver does."""
    if (old := versions.fault(connection, database.name)) is not None:
        return [old]
    faults = await faults_of_tables(settings, database, connection)
    held = await durability.read(connection)
    if held.overridden:
        log.info("synchronous_commit is off and overridden", database=database.name, off_by=held.overridden)
    return [*faults, *broken_promises(settings, database, held)]


async def faults_of_tables(settings: Settings, database: Database, connection: asyncpg.Connection) -> Sequence[str]:
    """That the tables are those of another database, or else what they lack. Raises what the driver does."""
    faults = await migrations.faults(connection, database.name, database.groups)
    said = await identity.read(connection, None if faults else database.groups)
    wrong = identity.mismatch(database.name, said, None, settings.control.database)
    return faults if wrong is None else [wrong]


def broken_promises(settings: Settings, database: Database, held: Durability) -> Sequence[str]:
    """What a server doesn't hold of what the settings want of it; after the last colon stands what to do."""
    unsafe = None if settings.allows_unsafe(database.name) else held.fault(database.name)
    lonely = held.lonely(database.name) if settings.requires_standby(database.name) else None
    return [fault for fault in (unsafe, lonely) if fault is not None]


def _sentence(faults: Sequence[str]) -> str:
    remedy = " Run `gameserver migrate`." if any("this code needs" in fault for fault in faults) else ""
    return "; ".join(fault.rstrip(".") for fault in faults) + "." + remedy


async def members(settings: Settings, databases: Databases) -> dict[str, list[Database]]:
    """The databases of each group: its recorded members or, before it is set up, those that the settings name.

    Raises IncompleteMap, DatabaseUnavailable.
    """
    control = databases[settings.control.database]
    async with control.snapshot() as connection:
        for name, url in await connection.execute(select(tables.databases)):
            if url is not None:
                databases.join(name, SecretStr(url))
        rows = (await connection.execute(select(tables.members).order_by(tables.members.c.database))).mappings().all()
    names = {group: [row["database"] for row in rows if row["group"] == group] for group in settings.groups}
    if unknown := {name for members in names.values() for name in members if name not in databases}:
        raise slot_map.IncompleteMap(
            f"{sorted(unknown)} are members of a group, but the settings name no such database"
        )
    return {
        name: [databases[member] for member in names[name] or group.databases]
        for name, group in settings.groups.items()
    }


def sizes(settings: Settings) -> dict[str, int]:
    """How many slots each group has."""
    return {name: group.slots for name, group in settings.groups.items()}


class MigrationStep(NamedTuple):
    """A group's tables on a database: their revision before, None if there were none, and after."""

    group: str
    database: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was done so far; `assigned` is how many slots of each group got an owner."""

    steps: list[MigrationStep] = field(default_factory=list)
    assigned: dict[str, int] = field(default_factory=dict)

    @property
    def databases(self) -> int:
        """How many databases there are."""
        return len({step.database for step in self.steps})

    @property
    def changes(self) -> dict[str, object]:
        """What there is to tell of tables and slots that weren't so before; empty if all was as it is."""
        steps = [step for step in self.steps if step.before != step.after]
        tables = {f"{step.database}: {step.group}": f"{step.before or 'nothing'} to {step.after}" for step in steps}
        slots = {group: count for group, count in self.assigned.items() if count}
        return ({"tables": tables} if tables else {}) | ({"slots": slots} if slots else {})


async def migrate(settings: Settings, done: Migrated | None = None) -> Migrated:
    """Brings every database to its head and every slot to an owner; safe to run again.

    `done`, if given, is what is returned, and has what was done when this fails; it has nothing until the control
    database, where that may be recorded, is at its head. All databases that answer are judged before the first is
    changed. Raises Conflict while slots of tables that would change are being moved, OutdatedDatabase when tables can't
    be changed, DatabaseUnavailable.
    """
    done = Migrated() if done is None else done
    databases = open_databases(settings, patient=True)
    try:
        control = databases[settings.control.database]
        await _require_possible(settings, databases)
        before = await migrations.current(control, "control")
        await upgrade(settings, control, "control")
        done.steps.append(MigrationStep("control", control.name, before, migrations.head("control")))
        with _refusals_of(control):
            groups = await members(settings, databases)
        for group, group_members in groups.items():
            for database in group_members:
                await require_unmoved(control, database, group, group_members)
                await _step(settings, database, group, done)
        await introduce(control, groups)
        done.assigned.update(await placing.assign(control, groups, sizes(settings)))
        await reconciler_of(settings, databases).insist()
        return done
    finally:
        await databases.close()


async def _require_possible(settings: Settings, databases: Databases) -> None:
    """Judges all databases at once; those that are away are judged when it is their turn.

    Raises OutdatedDatabase, IncompleteMap, and DatabaseUnavailable for the control database.
    """
    control = databases[settings.control.database]
    await migrations.require_possible(control, ["control"])
    named: dict[str, set[str]] = {control.name: {"control"}}
    for group, group_members in (await _members_before(settings, databases)).items():
        for database in group_members:
            named.setdefault(database.name, set()).add(group)
    judged = (migrations.require_possible(databases[name], groups) for name, groups in named.items())
    outcomes = await asyncio.gather(*judged, return_exceptions=True)
    if refusals := [str(outcome) for outcome in outcomes if isinstance(outcome, OutdatedDatabase)]:
        raise OutdatedDatabase(" ".join(refusals))
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, DatabaseUnavailable):
            raise outcome
    await recognized(control, [databases[name] for name in named])


async def _members_before(settings: Settings, databases: Databases) -> Mapping[str, Sequence[Database]]:
    """The members as far as they are known while the control database may have no tables, or older ones."""
    try:
        return await members(settings, databases)
    except DBAPIError:
        return {name: [databases[member] for member in group.databases] for name, group in settings.groups.items()}


@contextlib.contextmanager
def _refusals_of(database: Database) -> Iterator[None]:
    """Makes what Postgres refuses a sentence for operators. Raises OutdatedDatabase."""
    try:
        yield
    except DBAPIError as error:
        raise OutdatedDatabase(causes.explained(database.name, error)) from error


async def _step(settings: Settings, database: Database, group: str, done: Migrated) -> None:
    """Upgrades a group's tables on a database, and notes how far that came, also where it fails half-way."""
    before = reached = await migrations.current(database, group)
    try:
        await upgrade(settings, database, group)
    finally:
        with contextlib.suppress(DatabaseUnavailable):
            reached = await migrations.current(database, group)
        if reached is not None:
            done.steps.append(MigrationStep(group, database.name, before, reached))


async def upgrade(settings: Settings, database: Database, group: str) -> None:
    """Brings a group's tables on a database to their head; the ledger's get the partitions that a new node needs.

    Raises OutdatedDatabase when Postgres refuses it, DatabaseUnavailable.
    """
    await migrations.upgrade(database, group)
    if group == "players":
        with _refusals_of(database):
            await ensure_partitions(database, datetime.now(UTC), timedelta(seconds=settings.ledger.window_back_seconds))
