"""Keeps a database's write-ahead log as it is written: `pg_receivewal` as a child process.

Law: the database keeps what this one hasn't got yet, in a replication slot, also while this one doesn't run, but no
more than its `max_slot_wal_keep_size`. Where the log can't be continued (the slot is gone, or the server went back in
time), a new folder is begun, and the log says so. It never stands in for a standby: the reader of a slot tells the
primary what it has on disk, and where any standby will do (`*`) that acknowledges commits. So it streams without the
slot, which is advanced by a connection of its own, to the end of what is whole on this disk (decision 0166). Such a
slot is never active, so anything may drop it: the same connection makes it again.
"""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import asyncpg
import structlog
from pydantic import SecretStr

from gameserver.logs.outage import Outage
from gameserver.stack.backups.connecting import connected
from gameserver.stack.backups.log_archive import PARTIAL, has_segments, whole_until
from gameserver.stack.backups.making import make_log_folder, opened_catalog
from gameserver.stack.backups.programs import BackupPrograms, conninfo
from gameserver.stack.errors import StackError
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers import datafolder
from gameserver.stack.servers.managed import ManagedServer
from gameserver.stack.servers.standbys import ARCHIVE_SLOT
from gameserver.waiting import cancel_and_wait

READY_SECONDS = 60
ADVANCE_SECONDS = 2.0
LOOK_SECONDS = 30.0
"""How often the slot is looked at while no segment ends; that also keeps it from counting as idle."""
FOLLOWED = "select exists (select from pg_stat_replication where application_name = $1)"
"""Whether a receiver reads the log; they all call themselves as the slot is called."""
_BEGIN = """
    select case when s.restart_lsn = c.redo_lsn then lpad(upper(to_hex(c.timeline_id)), 8, '0')
                else substr(pg_walfile_name(s.restart_lsn), 1, 8) end || substr(pg_walfile_name(s.restart_lsn), 9)
    from pg_replication_slots s cross join pg_control_checkpoint() c where s.slot_name = $1
"""
"""The segment from which on the slot keeps the log: a new slot's may be of the timeline before a promotion."""
_ADVANCE = """
    select pg_replication_slot_advance(s.slot_name, greatest(s.restart_lsn, '0/0'::pg_lsn + $2::numeric)) is not null
    from pg_replication_slots s where s.slot_name = $1 and s.wal_status <> 'lost'
      and exists (select from pg_stat_replication where application_name = $1 and state = 'streaming')
"""
"""Only where the receiver streams from: on another server the same position may be of another past."""
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
    deployment: str | None = None
    """Of which the database has to be, if that is known."""
    stop_seconds: float = 15
    what: str = field(default="pg_receivewal", init=False)
    _advancing: Sequence[asyncio.Task[None]] = field(default=(), init=False, repr=False)
    """What advances the slot while it runs."""

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

    async def stop(self) -> None:
        """End it in its own orderly way."""
        await cancel_and_wait(self._advancing)
        await super().stop()

    def kill(self) -> None:
        """SIGKILL to it."""
        for task in self._advancing:
            task.cancel()
        super().kill()

    async def _start_process(self) -> None:
        await cancel_and_wait(self._advancing)
        await self.check()
        async with connected(self.database, self.url, self.deployment) as connection:
            if await connection.fetchval(FOLLOWED, ARCHIVE_SLOT):
                raise StackError(f"Something else keeps the log of {self.database}, or did until now: end it.")
            segment = await connection.fetchval("select pg_size_bytes(current_setting('wal_segment_size'))")
            folder = await self._folder_received(connection, segment)
        self._advancing = [asyncio.create_task(self._advance_for_ever(folder, segment))]

    async def _folder_received(self, connection: asyncpg.Connection, segment: int) -> Path:
        """Begins to receive, where the log was received last if that can be continued."""
        system = await connection.fetchval("select system_identifier::text from pg_control_system()")
        await self._provide_slot(connection)
        folders = self._catalog.log_folders(system)
        if folders and await self._goes_on(connection, folders[-1], segment):
            return folders[-1]
        folder = self._catalog.next_log_folder(system)
        if folders:
            _log.warning("the archive of the log begins anew: make a base backup", database=self.database)
        await asyncio.to_thread(make_log_folder, folder, self._programs.account)
        if not await self._goes_on(connection, folder, segment):
            await self._receive(connection, folder)
        return folder

    async def _goes_on(self, connection: asyncpg.Connection, folder: Path, segment: int) -> bool:
        """Receives into the folder from where it ends; False if this server's log doesn't go on there.

        One without log goes on with a part of a segment, be it nothing: without any it would begin at the end.
        """
        begin = None
        if not await asyncio.to_thread(has_segments, folder):
            begin = folder / f"{await connection.fetchval(_BEGIN, ARCHIVE_SLOT)}{PARTIAL}"
            await asyncio.to_thread(begin.touch, 0o600)
            await asyncio.to_thread(datafolder.give_to, begin, self._programs.account)
        await asyncio.to_thread(_fill, folder, segment)
        if await self._continues(connection, folder):
            return True
        if begin is not None:
            await asyncio.to_thread(begin.unlink, missing_ok=True)
        return False

    async def _advance_for_ever(self, folder: Path, segment: int) -> None:
        """Lets the database delete what is whole here, and sees that it keeps the rest; what fails is tried again."""
        outage = Outage("the log isn't kept by its slot", "the log is kept by its slot again", database=self.database)
        advanced, look_again = None, 0.0
        while True:
            await asyncio.sleep(ADVANCE_SECONDS)
            try:
                end = await asyncio.to_thread(whole_until, folder, segment)
                if end == advanced and time.monotonic() < look_again:
                    continue
                look_again = 0.0
                if await self._advance(end):
                    advanced, look_again = end, time.monotonic() + LOOK_SECONDS
                    outage.answered()
            except Exception as error:  # the database would keep its log until it may keep no more
                outage.failed(str(error))

    async def _advance(self, end: int | None) -> bool:
        """False where the receiver doesn't stream from. Raises StackError, also when the slot was gone and is made."""
        async with connected(self.database, self.url, self.deployment) as connection:
            if await connection.fetchval(_ADVANCE, ARCHIVE_SLOT, None if end is None else Decimal(end)):
                return True
            if await self._provide_slot(connection):
                raise StackError(f"The slot {ARCHIVE_SLOT} of {self.database} was gone; it is made again.")
        return False

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
        address, env = conninfo(self.url, ARCHIVE_SLOT)
        program = str(self._programs.folder / "pg_receivewal")
        launch = Launch(
            argv=(program, f"--directory={folder}", f"--dbname={address}", "--no-loop", "--no-password",
                  "--status-interval=1"),
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C", **env},
            lock=self._lock,
            orphaned=signal.SIGTERM,
            account=self._programs.account,
        )  # fmt: skip
        self.process.start(launch)
        receiving = (
            "select count(*) = 1 and bool_and(state in ('catchup', 'streaming')) from pg_stat_replication "
            "where application_name = $1"
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
        if not await connection.fetchval(FOLLOWED, ARCHIVE_SLOT):
            return False
        await connection.execute("select pg_logical_emit_message(true, 'gameserver', 'a backup ends here')")
        position = await connection.fetchval("select pg_current_wal_flush_lsn()::text")
        written = (
            "select exists (select from pg_stat_replication "
            "where application_name = $1 and write_lsn >= $2::text::pg_lsn)"
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
