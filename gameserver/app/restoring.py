"""One database restored beside the others; `reconciling` puts right what crossed between them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
from pydantic import SecretStr

from gameserver.app.backups import Say, assign, catalog_of, named, programs_of
from gameserver.config.naming import replica_name
from gameserver.config.settings import Settings
from gameserver.stack.backups import beginnings, making, placing
from gameserver.stack.backups.catalog import BackupCatalog
from gameserver.stack.backups.closing import ClosedDatabase
from gameserver.stack.backups.connecting import connected
from gameserver.stack.backups.making import BackedUp
from gameserver.stack.backups.placing import DataPlace
from gameserver.stack.backups.plan import Present, RestorePlan, plan
from gameserver.stack.backups.programs import BackupPrograms
from gameserver.stack.backups.receiver import received
from gameserver.stack.backups.restoring import Expected, restored
from gameserver.stack.errors import StackError
from gameserver.stack.servers.datafolder import control_values, restored_beside
from gameserver.stack.servers.patroni_settings import REPLICATOR
from gameserver.stack.servers.roles import ROLE, SUPERUSER
from gameserver.storage.crossings.campaigns import hold_campaigns
from gameserver.storage.sharding import provision
from gameserver.storage.tables import migrations
from gameserver.times import rfc3339

KEPT_SECONDS = 30.0
"""How long a database that answers may take to hand over its newest log before it is restored."""
LOOK_SECONDS = 0.5
"""How often a restored database is asked whether its replica is there."""
REPLICA_SECONDS, TELL_SECONDS = 24 * 3600.0, 60.0
"""How long it may take until one is, as long as a base backup may; and how often is told what is awaited."""
_HAS_REPLICA = """
    select exists (select from pg_stat_replication where state = 'streaming' and sync_state in ('sync', 'quorum'))
"""


@dataclass(frozen=True, slots=True)
class Restoration:
    """What is to be restored; `moment` None means all that was kept, `into` a folder that nothing uses yet."""

    database: str
    moment: datetime | None
    timeline: int | None = None
    into: Path | None = None
    system: str | None = None
    """Of which system, where the backups are of several."""


@dataclass(frozen=True, slots=True)
class RestoredData:
    """What was restored: the timeline that its own log begins, where it is, and whether its database runs on it."""

    plan: RestorePlan
    timeline: int
    folder: Path
    running: bool
    elsewhere: bool
    """Whether it was to go into a folder of its own."""
    outdated: Sequence[str]
    """Its tables that `gameserver migrate` has to bring up to date."""

    @property
    def since(self) -> datetime:
        """The moment after which it may differ from what it was."""
        return _since(self.plan)


async def restore(settings: Settings, wanted: Restoration, say: Say) -> RestoredData:
    """Restores a database and, unless it goes elsewhere, puts it in its place. Raises StackError, ConfigFault."""
    (database,) = await named(settings, [wanted.database], anyhow=True)
    programs, place = programs_of(settings), _place(settings, wanted.database)
    if place is None and wanted.into is None:
        raise StackError(
            f"{database.name} isn't embedded: name a folder for its data with --into, and put it in place."
        )
    catalog = catalog_of(settings, database.name)
    with making.locked(catalog) as lock:
        await _keep_newest(database, say)
        present = place.present(programs) if place is not None else await _present(database, catalog)
        if wanted.into is not None and wanted.system is not None:
            present = present if present is not None and present.system == wanted.system else None
        await asyncio.to_thread(beginnings.settle, catalog, place.folders(programs) if place is not None else ())
        chosen = plan(catalog, wanted.moment, present, wanted.timeline, wanted.system)
        say(f"Restoring {database.name} from the backup {chosen.backup.id} on timeline {chosen.timeline}.")
        for backup in chosen.chain:
            await making.verify(backup, catalog, programs, lock)
        to = wanted.into or _beside(place, programs)
        if wanted.into is not None:
            _require_empty(to)
        outdated: list[str] = []
        expected = await _expected(settings, database, outdated)
        log = settings.data / "log" / f"restore-{database.name}.log"
        sources = list(map(catalog.data, chosen.chain))
        running = False
        if place is not None and wanted.into is None:
            with ClosedDatabase(place, programs) as closed:
                ending = partial(closed.ending, catalog, chosen, say) if wanted.moment is None else None
                await restored(chosen, sources, to, log, expected, ending=ending)
                timeline = _timeline(to, programs)
                running, to = await put_in_place(closed, to, catalog, chosen, say), place.data
        else:
            await restored(chosen, sources, to, log, expected, elsewhere=True)
            timeline = _timeline(to, programs)
            if wanted.moment is None and place is None:
                await _warn_of_writes(database, say)
        return RestoredData(chosen, timeline, to, running, wanted.into is not None, outdated)


def _timeline(made: Path, programs: BackupPrograms) -> int:
    """The timeline that restored data has begun."""
    return int(control_values(programs.folder, made, programs.account)["Latest checkpoint's TimeLineID"])


async def _warn_of_writes(database: BackedUp, say: Say) -> None:
    """Says so if a database that nobody here can end still takes writes."""
    try:
        async with connected(database.name, database.url) as connection:
            if await connection.fetchval("select pg_is_in_recovery()"):
                return
    except StackError:
        return
    say(
        f"{database.name} still takes writes: what it has acknowledged since this began isn't in what was restored. "
        "Before that takes its place, end its server, see that nothing starts it again, and run this once more."
    )


async def put_in_place(
    closed: ClosedDatabase, made: Path, catalog: BackupCatalog, chosen: RestorePlan, say: Say
) -> bool:
    """As the stack does. What to do if this ends early is said before, since it may be killed, and when it does."""
    place, programs = closed.place, closed.programs
    waiting = restored_beside(place.folder(programs))
    early = (
        f"If this ends before it says what was put right: data in {waiting} is taken by the next start of its "
        f"Postgres, unless you move it away; and when the database runs on it, run {by_hand(chosen)}."
    )
    say(f"It is complete and checked; it takes its place. {early}")
    try:
        return await placing.put_in_place(place, made, catalog, chosen, programs, closed.let_go)
    except BaseException:
        say(early)
        raise


async def until_a_replica_streams(database: BackedUp, command: str, say: Say) -> None:
    """Waits until a database whose commits wait for a replica has one.

    Raises StackError after REPLICA_SECONDS, with the command that does what is left.
    """
    say(
        f"{database.name} acknowledges nothing until a replica of it is made anew, which takes as long as a base "
        "backup. What crossed between it and the others is put right then."
    )
    began = told = time.monotonic()
    while time.monotonic() - began < REPLICA_SECONDS:
        why = "no replica streams yet"
        try:
            async with connected(database.name, database.url) as connection:
                if await connection.fetchval(_HAS_REPLICA):
                    return
        except StackError as error:  # it may be started again meanwhile
            why = str(error)
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            say(f"{database.name} still waits for a replica: {why}")
        await asyncio.sleep(LOOK_SECONDS)
    raise StackError(f"No replica of {database.name} streams. When one does, run {command}.")


def by_hand(chosen: RestorePlan) -> str:
    """The command that puts right what crossed between the restored database and the others."""
    options = f"--database {chosen.backup.database} --since {rfc3339(_since(chosen))} --reason …"
    return f"`gameserver backups reconcile {options}`"


def _since(chosen: RestorePlan) -> datetime:
    """The moment that it goes back to, or the earliest that this can be."""
    return chosen.moment or chosen.backup.ended_at


async def _present(database: BackedUp, catalog: BackupCatalog) -> Present | None:
    """What a database at a URL is; None if it doesn't answer, or isn't the one that was backed up."""
    try:
        present = await making.present(database)
    except StackError:
        return None
    return present if any(backup.system == present.system for backup in catalog.backups()) else None


def _require_empty(to: Path) -> None:
    """Raises StackError. Data is made beside its place, and renamed."""
    if to.is_mount():
        raise StackError(f"A disk is mounted at {to}: name a folder in it.")
    if to.exists() and any(to.iterdir()):
        raise StackError(f"{to} isn't empty: name another folder.")


async def _keep_newest(database: BackedUp, say: Say) -> None:
    """Has what a database wrote up to now kept, if it answers."""
    try:
        if not await received(database.name, database.url, KEPT_SECONDS):
            say(f"Nothing keeps the newest log of {database.name}: only what was kept before can be restored.")
    except StackError as error:
        say(f"{error}. What was kept of its log has to do.")


async def _expected(settings: Settings, database: BackedUp, outdated: list[str]) -> Expected:
    groups = await _groups(settings, database.name)
    parts = urlsplit(database.url.get_secret_value())
    role = unquote(parts.netloc.rpartition("@")[0].partition(":")[0]) or ROLE

    async def judge(connection: asyncpg.Connection) -> Sequence[str]:
        faults = await migrations.faults(connection, database.name, groups)
        known = [fault for fault in faults if "this code needs" in fault and await _is_known(connection, fault, groups)]
        outdated.extend(known)
        return [fault for fault in faults if fault not in known]

    async def prepare(connection: asyncpg.Connection) -> None:
        if "control" in groups and not outdated:
            await hold_campaigns(connection)

    passwords = passwords_of(settings, database.name)
    return Expected(unquote(parts.path.removeprefix("/")) or role, role, judge, passwords, {}, prepare)


def passwords_of(settings: Settings, name: str) -> Mapping[str, SecretStr]:
    """Those of the roles of a database that `up` runs, which come from the settings' own key; none of another one."""
    database = settings.databases.get(name)
    if database is None or database.url is not None:
        return {}
    roles = (SUPERUSER, ROLE, REPLICATOR) if database.members else (SUPERUSER, ROLE)
    return {role: settings.server_password(name, role) for role in roles}


async def _is_known(connection: asyncpg.Connection, fault: str, groups: Sequence[str]) -> bool:
    """Whether it is about tables of an earlier version of this code."""
    (group,) = [group for group in groups if f"its {group} tables" in fault]
    if not await connection.fetchval("select to_regclass('public.' || $1) is not null", f"alembic_version_{group}"):
        return False
    revision = await connection.fetchval(f"select version_num from public.alembic_version_{group}")  # noqa: S608
    return migrations.knows(group, str(revision))


async def _groups(settings: Settings, name: str) -> Sequence[str]:
    databases = provision.open_databases(settings, patient=True)
    try:
        await assign(settings, databases, anyhow=True)
        return sorted(databases[name].groups)
    finally:
        await databases.close()


def _place(settings: Settings, name: str) -> DataPlace | None:
    database = settings.databases.get(name)
    if database is None or database.embedded is None:
        return None
    numbers = range(1, len(database.replicas) + 1)
    replicas = [settings.data / f"postgres-{replica_name(name, number)}" for number in numbers]
    return DataPlace(settings.data / f"postgres-{name}", replicas, settings.data / "up.lock")


def _beside(place: DataPlace | None, programs: BackupPrograms) -> Path:
    assert place is not None
    folder = place.folder(programs)
    return folder.with_name(folder.name + ".restoring")
