"""A Postgres whose log is kept, with what backs it up and restores it; and backups that are facts alone."""

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg
import orjson
import pytest
from pydantic import SecretStr

from gameserver.stack.backups import beginnings, making, placing
from gameserver.stack.backups.catalog import FACTS, BackupCatalog, BaseBackup, new_id
from gameserver.stack.backups.closing import ClosedDatabase
from gameserver.stack.backups.making import BackedUp
from gameserver.stack.backups.placing import DataPlace
from gameserver.stack.backups.plan import RestorePlan, plan
from gameserver.stack.backups.programs import BackupPrograms
from gameserver.stack.backups.receiver import WalReceiver, received
from gameserver.stack.backups.restoring import Expected, restored
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.roles import ROLE, SUPERUSER
from tests.stack.backups.test_log_archive import SEGMENT, keep
from tests.stack.conftest import FAST

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
Add = Callable[..., BaseBackup]


@dataclass
class Kept:
    """A server with a table `written`, its receiver, and its backups."""

    server: PostgresServer
    receiver: WalReceiver
    catalog: BackupCatalog
    programs: BackupPrograms
    place: DataPlace
    others: dict[str, SecretStr] = field(default_factory=dict)
    """Passwords of other roles, which what is restored gets."""

    async def ask(self, statement: str) -> object:
        connection = await asyncpg.connect(self.server.url, command_timeout=30)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def write(self, value: int) -> datetime:
        """A moment after the value was written, and before anything else is."""
        await self.ask(f"insert into written values ({value})")
        moment = await self.ask("select clock_timestamp()")
        assert isinstance(moment, datetime)
        return moment

    async def values(self) -> list[int]:
        found = await self.ask("select array(select value from written order by value)")
        assert isinstance(found, list)
        return found

    def lose_disk(self) -> None:
        """As when the machine's disk dies: only the backups are left."""
        self.server.kill()
        self.receiver.kill()
        shutil.rmtree(self.server.data)

    async def back_up(self, *, incremental: bool = False) -> BaseBackup:
        database = BackedUp("one", self.receiver.url)
        with making.locked(self.catalog) as lock:
            return await making.back_up(database, self.catalog, self.programs, lock, incremental=incremental)

    async def restore(
        self, moment: datetime | None, *, received_first: bool = True, timeline: int | None = None
    ) -> None:
        """As `gameserver restore` does; afterwards server and receiver run on what was restored."""
        if received_first:
            assert await received("one", self.receiver.url, 30)
        with making.locked(self.catalog) as lock:
            beginnings.settle(self.catalog, self.place.folders(self.programs))
            chosen = plan(self.catalog, moment, self.place.present(self.programs), timeline)
            sources = list(map(self.catalog.data, chosen.chain))
            for backup in chosen.chain:
                await making.verify(backup, self.catalog, self.programs, lock)
            to = self.restoring
            await restored(chosen, sources, to, self.server.log, self.expected())
            assert not await placing.put_in_place(self.place, to, self.catalog, chosen, self.programs)
        await self.restart()

    async def restore_all(self, say: Callable[[str], None], *, timeline: int | None = None) -> None:
        """As `gameserver restore --to latest` does; afterwards server and receiver run on what was restored."""
        with making.locked(self.catalog), ClosedDatabase(self.place, self.programs) as closed:
            chosen = plan(self.catalog, None, self.place.present(self.programs), timeline)
            sources = list(map(self.catalog.data, chosen.chain))
            ending = partial(closed.ending, self.catalog, chosen, say)
            await restored(chosen, sources, self.restoring, self.server.log, self.expected(), ending=ending)
            await placing.put_in_place(self.place, self.restoring, self.catalog, chosen, self.programs, closed.let_go)
        await self.restart()

    async def restored(self, *, elsewhere: bool = False) -> tuple[RestorePlan, list[Path]]:
        """Restores all that was kept to `restoring`, without reading the backup before; the plan and its sources."""
        assert await received("one", self.receiver.url, 30)
        chosen = plan(self.catalog, None, self.place.present(self.programs), None)
        sources = list(map(self.catalog.data, chosen.chain))
        await restored(chosen, sources, self.restoring, self.server.log, self.expected(), elsewhere=elsewhere)
        return chosen, sources

    @property
    def restoring(self) -> Path:
        """Where restored data is until it is put in place."""
        return self.server.data.with_name("one.restoring")

    def expected(self) -> Expected:
        async def judge(connection: asyncpg.Connection) -> list[str]:
            return [] if await connection.fetchval("select to_regclass('written') is not null") else ["no table"]

        superuser = self.server.superuser_password or self.server.password
        return Expected(
            "gameserver", "gameserver", judge, {SUPERUSER: superuser, ROLE: self.server.password, **self.others}, FAST
        )

    async def restart(self) -> None:
        await self.receiver.stop()
        await self.server.stop()
        await self.server.start()
        await self.receiver.start()


@pytest.fixture
async def kept(postgres: Callable[..., PostgresServer], folder: Path) -> AsyncIterator[Kept]:
    server = postgres()
    server.archived = True
    await server.start()
    programs = BackupPrograms(folder / "log" / "backups.log")
    url = SecretStr(server.url)
    receiver = WalReceiver(
        name="one-log", log=folder / "log" / "receiver.log", database="one", url=url, folder=folder / "backups"
    )
    catalog = making.opened_catalog("one", folder / "backups", programs.account)
    place = DataPlace(server.data, (), folder / "up.lock")
    made = Kept(server, receiver, catalog, programs, place)
    await made.ask("create table written (value int)")
    try:
        await receiver.start()
        yield made
    finally:
        await receiver.stop()


@pytest.fixture
def catalog(tmp_path: Path) -> BackupCatalog:
    return BackupCatalog("one", tmp_path)


@pytest.fixture
def add(catalog: BackupCatalog) -> Add:
    """Adds a backup that ended so many minutes after noon, at the end of segment `number`."""

    def added(minutes: int, number: int, timeline: int = 1, system: str = "7") -> BaseBackup:
        began = NOON + timedelta(minutes=minutes)
        end = number * SEGMENT + 0x120
        backup = BaseBackup(new_id(began), "one", system, "18.4", timeline, end - 0x100, end, began, began, 1, SEGMENT)
        folder = catalog.data(backup).parent
        folder.mkdir(parents=True)
        (folder / FACTS).write_bytes(orjson.dumps(asdict(backup)))
        return backup

    return added


def log(catalog: BackupCatalog, *names: str) -> Path:
    folder = catalog.folder / "wal" / "7" / "0001"
    folder.mkdir(parents=True, exist_ok=True)
    return keep(folder, *names)
