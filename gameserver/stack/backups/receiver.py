"""Keeps a database's write-ahead log as it is written: `pg_receivewal` as a child process.

Law: the database keeps what this one hasn't got yet, in a replication slot, also while this one doesn't run, but no
more than its `max_slot_wal_keep_size`. Where the log can't be continued (the slot is gone, or the server went back in
time), a new folder is begun, and the log says so.
"""

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import structlog
from pydantic import SecretStr

from gameserver.stack.backups.connecting import connected
from gameserver.stack.backups.log_archive import PARTIAL
from gameserver.stack.backups.making import make_log_folder, opened_catalog
from gameserver.stack.backups.programs import BackupPrograms, conninfo
from gameserver.stack.errors import StackError
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers.managed import ManagedServer
from gameserver.stack.servers.standbys import ARCHIVE_SLOT

READY_SECONDS = 60
_CANT_CONTINUE = ("is not in this server's history", "has already been removed", "ahead of the WAL flush position",
                  "can no longer", "is not present in the server")  # fmt: skip
"""What Postgres says to a receiver whose folder ends where this server's log doesn't go on."""
_log = structlog.get_logger()


@dataclass(eq=False, kw_only=True)
class WalReceiver(ManagedServer):
    """The receiver of one database; `name` is the database's with `-log` behind it."""

    database: str
    url: SecretStr
    folder: Path
    """Of all backups."""
    stop_seconds: float = 15
    what: str = field(default="pg_receivewal", init=False)

    def __post_init__(self) -> None:
        self._manage(f"The archive of the log of {self.database}", self.folder / f"{self.database}.receiver.lock")

    @property
    def address(self) -> str:
        """Where the log goes."""
        return os.path.relpath(self.folder / self.database)

    async def check(self) -> None:
        """Raises StackError if the program is missing, or its folder can't be written."""
        try:
            self._programs = await asyncio.to_thread(BackupPrograms, self.log)
            self._catalog = await asyncio.to_thread(opened_catalog, self.database, self.folder, self._programs.account)
        except OSError as error:
            raise StackError(f"The folder {self.folder / self.database} can't be used: {error}.") from None

    async def _start_process(self) -> None:
        await self.check()
        async with connected(self.database, self.url) as connection:
            system = await connection.fetchval("select system_identifier::text from pg_control_system()")
            made = await self._provide_slot(connection)
            folders = self._catalog.log_folders(system)
            if folders and not made:
                segment = await connection.fetchval("select pg_size_bytes(current_setting('wal_segment_size'))")
                await asyncio.to_thread(_fill, folders[-1], segment)
                if await self._continues(connection, folders[-1]):
                    return
            folder = self._catalog.next_log_folder(system)
            if folders:
                _log.warning("the archive of the log begins anew: make a base backup", database=self.database)
            await asyncio.to_thread(make_log_folder, folder, self._programs.account)
            await self._receive(connection, folder)

    async def _continues(self, connection: asyncpg.Connection, folder: Path) -> bool:
        """Receives into the folder; False if this server's log doesn't go on where it ends."""
        try:
            await self._receive(connection, folder)
        except StackError as error:
            if any(sign in str(error) for sign in _CANT_CONTINUE):
                return False
            raise
        return True

    async def _provide_slot(self, connection: asyncpg.Connection) -> bool:
        """Makes the slot unless it has the log that is needed; whether it was made."""
        question = "select wal_status from pg_replication_slots where slot_name = $1"
        status = await connection.fetchval(question, ARCHIVE_SLOT)
        if status not in (None, "lost"):
            return False
        if status is not None:
            await connection.execute("select pg_drop_replication_slot($1)", ARCHIVE_SLOT)
        await connection.execute("select pg_create_physical_replication_slot($1, true)", ARCHIVE_SLOT)
        return True

    async def _receive(self, connection: asyncpg.Connection, folder: Path) -> None:
        address, env = conninfo(self.url)
        program = str(self._programs.folder / "pg_receivewal")
        launch = Launch(
            argv=(program, f"--directory={folder}", f"--slot={ARCHIVE_SLOT}", f"--dbname={address}", "--no-loop",
                  "--no-password", "--status-interval=1"),
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C", **env},
            lock=self._lock,
            orphaned=signal.SIGTERM,
            account=self._programs.account,
        )  # fmt: skip
        self.process.start(launch)
        receiving = (
            "select exists (select from pg_replication_slots s join pg_stat_replication r on r.pid = s.active_pid "
            "where s.slot_name = $1 and r.state in ('catchup', 'streaming'))"
        )

        async def ready() -> bool:
            return bool(await connection.fetchval(receiving, ARCHIVE_SLOT))

        try:
            await self.process.until(ready, READY_SECONDS)
        except StackError:
            self.process.kill()
            raise


async def received(database: str, url: SecretStr, seconds: float) -> bool:
    """Writes something, and waits until the receiver has everything up to it.

    False if there is no receiver, or it hasn't within `seconds`.

    So a moment before now is followed by a commit, which Postgres needs to stop at it. Raises StackError.
    """
    async with connected(database, url) as connection:
        following = "select exists (select from pg_replication_slots where slot_name = $1 and active)"
        if not await connection.fetchval(following, ARCHIVE_SLOT):
            return False
        await connection.execute("select pg_logical_emit_message(true, 'gameserver', 'a backup ends here')")
        position = await connection.fetchval("select pg_current_wal_flush_lsn()::text")
        written = (
            "select exists (select from pg_replication_slots s join pg_stat_replication r on r.pid = s.active_pid "
            "where s.slot_name = $1 and r.write_lsn >= $2::text::pg_lsn)"
        )
        end = asyncio.get_running_loop().time() + seconds
        while not await connection.fetchval(written, ARCHIVE_SLOT, position):
            if asyncio.get_running_loop().time() > end:
                return False
            await asyncio.sleep(0.1)
    return True


def _fill(folder: Path, segment: int) -> None:
    """Fills up a partial segment that a killed receiver left too short, which begins as zeros, so that it goes on."""
    for path in folder.glob(f"*{PARTIAL}"):
        if path.stat().st_size < segment:
            os.truncate(path, segment)
