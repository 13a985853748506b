"""A database as it was at a moment: a copy of a base backup, on which its log is replayed, beside the running ones.

Law: nothing but this process can connect to it, it starts no work of its own (no subscription, no vacuum), and what
runs is not touched. It gets a timeline of its own, so nothing takes it for what it was copied from.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import asyncpg
from pydantic import SecretStr

from gameserver.stack.backups import kept_log, log_pages, room
from gameserver.stack.backups.log_archive import LogArchive, spans_of
from gameserver.stack.backups.plan import RestorePlan
from gameserver.stack.backups.programs import LONGEST_SECONDS
from gameserver.stack.errors import StackError
from gameserver.stack.processes.account import Account, for_servers
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers import datafolder, roles
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.roles import SUPERUSER
from gameserver.stack.servers.standbys import ARCHIVE_SLOT

CONNECT_SECONDS = 10
Judge = Callable[[asyncpg.Connection], Awaitable[Sequence[str]]]
"""What is wrong with the database of a connection, a sentence each."""
_ENDED_EARLY = "recovery ended before configured recovery target was reached"


@dataclass(eq=False, kw_only=True)
class RestoredPostgres(PostgresServer):
    """Its data is made from the plan's backup; it listens in the folder `own` alone.

    `sources` are the data folders of the backup's chain.
    """

    _making_seconds: ClassVar[float] = LONGEST_SECONDS
    _ready_seconds: ClassVar[float] = LONGEST_SECONDS

    plan: RestorePlan
    sources: Sequence[Path]
    passwords: Mapping[str, SecretStr]
    own: Path
    """Of the servers' account, closed to others: a socket, files of settings, and `wal` with the log."""
    elsewhere: bool = False
    """Whether somebody has named the folder, in which nothing may be."""
    before_replay: Callable[[], Awaitable[None]]
    """Called when its data is copied."""
    _is_own: bool = field(init=False, default=False)
    """Whether what is in the folder is this restore's."""

    async def connected(self, role: str, database: str) -> asyncpg.Connection:
        """A connection, without any password. Raises StackError."""
        try:
            return await asyncpg.connect(
                host=str(self.own), port=self.port, user=role, database=database, timeout=CONNECT_SECONDS,
                command_timeout=60,
            )  # fmt: skip
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            raise StackError(f"What was restored has no {database} for {role}: {error}") from None

    def left_at(self) -> int:
        """The position where the timeline that it began leaves the past; it has ended. Raises StackError, OSError."""
        values = datafolder.control_values(self._programs, self._folder, self._account)
        try:
            timeline = int(values["Latest checkpoint's TimeLineID"])
            *_, last = spans_of((self._folder / "pg_wal" / f"{timeline:08X}.history").read_text("utf-8"))
            return last.end or 0
        except (KeyError, ValueError) as error:
            raise StackError(f"What was restored of {self.name} can't be read: {error!r}") from None

    async def _make_data(self) -> None:
        if self.elsewhere and not datafolder.is_new(self._folder):
            raise StackError(f"{self.data} isn't empty: name another folder.")
        self._is_own = True
        await asyncio.to_thread(self._remove)  # what an interrupted restore left, before the room is measured
        await asyncio.to_thread(room.require, self._folder.parent, self.plan, self.sources)
        await super()._make_data()
        datafolder.write_secret(self._folder / "recovery.signal", "", self._account)
        await self.before_replay()

    async def forget(self) -> None:
        """Removes its data and its lock, when its killed processes have ended. Raises StackError if they don't."""
        await self.wait_for_earlier_run()
        if self._is_own:
            await asyncio.to_thread(self._remove)
            if self.data.is_symlink():  # to where the servers' account can go
                self.data.unlink()
        self.remove_lock()

    def remove_lock(self) -> None:
        """Removes the lock, which nothing needs when it doesn't run any more. Raises StackError."""
        self._lock.remove()

    def _remove(self) -> None:
        for folder in (self._folder, self._half):
            shutil.rmtree(folder, ignore_errors=True)

    def _making_command(self, folder: Path, secret: Path) -> tuple[str, ...]:  # noqa: ARG002
        if len(self.sources) == 1:
            return ("/bin/cp", "-a", "--reflink=auto", f"{self.sources[0]}/.", str(folder))
        return (str(self._programs / "pg_combinebackup"), *map(str, self.sources), f"--output={folder}")

    def _place(self) -> Mapping[str, str]:
        return {
            "listen_addresses": "",
            "port": str(self.port),
            "unix_socket_directories": str(self.own),
            **{f"{name}_file": str(self.own / name) for name in _FILES},
        }

    def _replication(self) -> Mapping[str, str]:
        log, moment = self.own / "wal", self.plan.moment
        return {
            "restore_command": kept_log.copying_from(log),
            "recovery_target_timeline": str(self.plan.timeline),
            "recovery_target_action": "promote",
            **({"recovery_target_time": moment.isoformat()} if moment is not None else {}),
            "hot_standby": "off",
            "synchronous_standby_names": "",
            "archive_mode": "off",
            "autovacuum": "off",
            "max_logical_replication_workers": "0",
        }

    async def _start_process(self) -> None:
        try:
            await super()._start_process()
        except StackError as error:
            if _ENDED_EARLY not in str(error) or self.plan.moment is None:
                raise
            raise StackError(
                f"The log of {self.name} that was kept ends before {self.plan.moment.isoformat()}, or has a gap or "
                f"damage before it: name an earlier moment, or `latest`.\n{error}"
            ) from None

    async def _provide(self) -> None:
        """For a server that `up` runs the passwords of these settings, as the old ones may be lost, and its slot."""
        if not self.passwords:
            return
        connection = await self.connected(SUPERUSER, "postgres")
        try:
            await roles.set_passwords(connection, self.passwords)
            if not self.elsewhere:
                # So that the receiver gets what is written before it begins.
                await connection.execute("checkpoint")  # so that it keeps that of the new timeline
                await connection.execute(_KEEP_LOG, ARCHIVE_SLOT)
        finally:
            await connection.close()


_KEEP_LOG = "select pg_create_physical_replication_slot($1, true)"
_FILES: Mapping[str, str] = {"config": "", "hba": "local all all trust\n", "ident": ""}
"""Settings files of the server; those in the data don't count."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What restored data has to be: `database` with its role, on which `judge` finds no fault.

    `passwords` are those that its roles get; there are none for a server of somebody else's.
    """

    database: str
    role: str
    judge: Judge
    passwords: Mapping[str, SecretStr]
    settings: Mapping[str, str]
    prepare: Callable[[asyncpg.Connection], Awaitable[None]] | None = None
    """What is changed in it before anybody uses it."""


async def restored(  # noqa: PLR0913 (two of them only for some restores)
    plan: RestorePlan,
    sources: Sequence[Path],
    to: Path,
    log: Path,
    expected: Expected,
    *,
    elsewhere: bool = False,
    ending: Callable[[], Awaitable[RestorePlan]] | None = None,
) -> None:
    """Makes the data folder `to` from a plan, whose chain has its data in `sources`.

    `elsewhere`: it is a folder that somebody has named, in which nothing may be. `ending` is called when the backup is
    copied, and returns the plan with the log that there is then, which is replayed.

    It is complete, judged and shut down, or gone, with all that was made for it.

    Raises StackError, OSError.
    """
    end = await asyncio.to_thread(_known_end, plan)
    account = for_servers()
    with _own_folder(account, plan.archive) as own:

        async def take_ending() -> None:
            nonlocal end
            if ending is not None:
                final = await ending()
                await asyncio.to_thread(_link_anew, own, final.archive, account)
                end = await asyncio.to_thread(_known_end, final)

        server = RestoredPostgres(
            name=plan.backup.database,
            data=to,
            port=free_port(),
            password=SecretStr(""),
            passwords=expected.passwords,
            log=log,
            settings=expected.settings,
            plan=plan,
            sources=sources,
            own=own,
            elsewhere=elsewhere,
            before_replay=take_ending,
        )
        await server.wait_for_earlier_run()  # what another process makes there isn't this one's to remove
        try:
            await server.start()
            await _require_expected(server, plan, expected)
            await server.stop()
            if server.process.status != 0:
                raise StackError(f"{server.process.name} didn't end properly{server.process.last_words()}")
            await asyncio.to_thread(_require_replayed, server, end)
        except BaseException as error:
            server.kill()
            try:
                await server.forget()
            except StackError as left:
                error.add_note(f"What was made of it stays: {left}")
            raise
        server.remove_lock()


async def _require_expected(server: RestoredPostgres, plan: RestorePlan, expected: Expected) -> None:
    connection = await server.connected(expected.role, expected.database)
    try:
        system = await connection.fetchval("select system_identifier::text from pg_control_system()")
        if system != plan.backup.system:
            raise StackError(f"What was restored is of the system {system}, not of {plan.backup.system}.")
        if faults := await expected.judge(connection):
            raise StackError(f"What was restored can't be used: {' '.join(faults)}")
        if expected.prepare is not None:
            await expected.prepare(connection)
    finally:
        connection.terminate()


def _known_end(chosen: RestorePlan) -> int:
    """Up to where the log has to be replayed. Raises StackError, OSError."""
    if chosen.moment is not None:  # Postgres itself sees to it that this is reached
        return chosen.backup.end
    return log_pages.proven_end(chosen.archive, chosen.archive.past(chosen.timeline), chosen.backup.end)


def _require_replayed(server: RestoredPostgres, end: int) -> None:
    if (left := server.left_at()) < end:
        raise StackError(
            f"The log of {server.name} that was kept is damaged: it can't be read behind {left:X}, and goes on to "
            f"{end:X} at least. Name a moment before that with --to."
        )


def _link_anew(own: Path, archive: LogArchive, account: Account | None) -> None:
    """Links what lies in the archive by now."""
    log = own / "wal"
    for path in log.iterdir():
        path.unlink()
    kept_log.link(archive, log)
    datafolder.give_all_to(log, account)


@contextmanager
def _own_folder(account: Account | None, archive: LogArchive) -> Iterator[Path]:
    """A folder for the server, with a short name because of the socket in it."""
    own = Path(tempfile.mkdtemp(prefix="gs-restore-", dir="/tmp"))
    try:
        log = own / "wal"
        log.mkdir(mode=0o700)
        kept_log.link(archive, log)
        for name, content in _FILES.items():
            (own / name).write_text(content)
        if account is not None:
            datafolder.give_to(own, account)
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
