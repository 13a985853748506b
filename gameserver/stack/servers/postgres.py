"""A Postgres instance as a child process, durable by its settings, with the role and database `gameserver`.

Whatever was killed and however often: `start` makes the data if there is none, waits for what is left of an
earlier run, removes a stale pid file, and returns when the instance answers. A half-made data folder is never
used, since it gets its name only when it is complete. It listens on 127.0.0.1 alone, and every connection
needs the password.
"""

import asyncio
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncpg

from gameserver.stack.errors import StackError
from gameserver.stack.processes import ports
from gameserver.stack.processes.account import Account, answer_of, for_servers
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.process import Launch, Process
from gameserver.stack.servers import binaries, datafolder, folders

HOST = "127.0.0.1"
ROLE = "gameserver"
SUPERUSER = "postgres"
DURABLE: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "logical",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "max_locks_per_transaction": "128",
    "max_replication_slots": "32",
    "max_wal_senders": "32",
    "max_worker_processes": "32",
    "max_logical_replication_workers": "16",
    "max_sync_workers_per_subscription": "4",
    "wal_retrieve_retry_interval": "500ms",
    "shared_buffers": "256MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_LEFTOVER_SECONDS = 15
_INITDB_SECONDS = 120
_READY_SECONDS = 180
"""Recovery after a kill reads up to max_wal_size of log."""


@dataclass(eq=False, kw_only=True)
class PostgresServer:
    """One instance: its data folder, and the process that runs on it, if one does."""

    name: str
    data: Path
    port: int
    password: str = field(repr=False)
    log: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    """Server settings that override DURABLE."""
    stop_seconds: float = 30
    what: str = field(default="Postgres", init=False)
    process: Process = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.data = self.data.absolute()
        self.process = Process(f"Postgres {self.name}", self.log)
        self._claim = FolderLock(self.data.with_name(self.data.name + ".lock"))
        self._account: Account | None = None
        self._programs = Path()
        self._folder = self.data

    @property
    def url(self) -> str:
        """Of the role and database that everything uses."""
        return self._url(ROLE, ROLE)

    @property
    def superuser_url(self) -> str:
        """Of the role that may do anything, for setting up replication and the like."""
        return self._url(SUPERUSER, "postgres")

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def claim(self) -> None:
        """Wait until an earlier run's processes have left the data alone. Raises StackError."""
        await self._claim.wait(_LEFTOVER_SECONDS, self.process.name)

    async def check(self) -> None:
        """Raises StackError if a program, the data, its folder or the port stands in the way of a start."""
        try:
            await asyncio.to_thread(self._prepare)
        except OSError as error:
            raise StackError(f"The data folder {self.data} can't be used: {error}.") from None
        ports.require_free(HOST, self.port, f"databases.{self.name}.embedded.port")

    async def start(self) -> None:
        """Start it and wait until it answers. Raises StackError; it then isn't running.

        A start that is cancelled leaves it to `stop`.
        """
        if self.process.pid is not None:
            raise StackError(f"{self.process.name} is already running.")
        try:
            await self.claim()
            await self.check()
            await self._make_data()
            await self._run()
        except Exception:
            self.kill()
            raise
        finally:
            self._claim.release()

    async def stop(self) -> None:
        """A fast shutdown, and a kill when it takes longer than `stop_seconds`."""
        await self.process.stop(signal.SIGINT, self.stop_seconds)
        self._claim.release()

    def kill(self) -> None:
        """SIGKILL to it and its children, as when the machine fails."""
        self.process.kill()

    def _prepare(self) -> None:
        self._account = for_servers()
        self._programs = folders.for_programs(binaries.postgres(), self._account)
        version = answer_of((str(self._programs / "initdb"), "--version"), self._account)
        major = re.search(r"(\d+)\.?\S*\s*$", version or "")
        if version is None or major is None:
            raise StackError(f"{self._programs / 'initdb'} doesn't run on this machine.")
        if int(major[1]) != binaries.POSTGRES_MAJOR:
            raise StackError(f"{self._programs} holds {version.strip()}; Postgres {binaries.POSTGRES_MAJOR} is needed.")
        self.what = f"Postgres {version.split()[-1]}"
        self._folder = folders.for_data(self.data, self._account)
        if self._account is None:
            datafolder.require_own(self._folder)
        datafolder.require_usable(self._folder, binaries.POSTGRES_MAJOR)
        if not datafolder.is_new(self._folder):
            datafolder.give_to(self._folder, self._account)
        elif not os.access(self._folder.parent, os.W_OK):
            raise StackError(f"The data folder {self.data} can't be made: {self._folder.parent} isn't writable.")

    async def _make_data(self) -> None:
        if not datafolder.is_new(self._folder):
            return
        made = self._folder.with_name(self._folder.name + ".new")
        secret = self._folder.with_name(self._folder.name + ".password")
        setup = Process(f"The set-up of Postgres {self.name}", self.log)
        try:
            await asyncio.to_thread(datafolder.make_empty, made, self._account)
            datafolder.write_secret(secret, self.password, self._account)
            setup.start(self._launch(self._initdb_command(made, secret), self._folder.parent, signal.SIGKILL))
            if not await setup.ended(_INITDB_SECONDS) or setup.status != 0:
                raise StackError(f"{setup.name} failed ({setup.status_text}){setup.last_words()}")
            datafolder.put_in_place(made, self._folder)
        except OSError as error:
            raise StackError(f"The data folder {self.data} can't be made: {error}.") from None
        finally:
            setup.kill()
            secret.unlink(missing_ok=True)

    def _initdb_command(self, folder: Path, secret: Path) -> tuple[str, ...]:
        """C.UTF-8 of Postgres's own make: the order of text doesn't change with the machine's libraries."""
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        access = (f"--username={SUPERUSER}", "--auth=scram-sha-256", f"--pwfile={secret}")
        unsafe = ("--no-sync",) if self.settings.get("fsync") == "off" else ()
        return (
            str(self._programs / "initdb"),
            "-D",
            str(folder),
            "--no-instructions",
            *locale,
            *access,
            *unsafe,
        )

    async def _run(self) -> None:
        datafolder.remove_stale_pid_file(self._folder)
        ours = {"listen_addresses": HOST, "port": str(self.port), "unix_socket_directories": ""}
        settings = {**DURABLE, **self.settings, **ours}
        options = tuple(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))
        command = (str(self._programs / "postgres"), "-D", str(self._folder), *options)
        self.process.start(self._launch(command, self._folder, signal.SIGINT))
        await self.process.until(self._accepts, _READY_SECONDS)
        await self._provide()

    def _launch(self, command: tuple[str, ...], folder: Path, orphaned: signal.Signals) -> Launch:
        return Launch(
            argv=command,
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            claim=self._claim,
            orphaned=orphaned,
            account=self._account,
        )

    async def _accepts(self) -> bool:
        return datafolder.is_ready(self._folder, self.process.pid)

    async def _provide(self) -> None:
        """The role, with what moves of slots need, and its database, unless they are there."""
        try:
            connection = await asyncpg.connect(self.superuser_url, ssl=False, timeout=30)
        except asyncpg.InvalidPasswordError:
            raise StackError(
                f"The data in {self.data} was made with another password: "
                "put the old one back, or remove the folder to begin anew."
            ) from None
        except (OSError, asyncpg.PostgresError) as error:
            raise StackError(f"{self.process.name} doesn't answer: {error}{self.process.last_words()}") from None
        try:
            if not await connection.fetchval("select exists(select from pg_roles where rolname = $1)", ROLE):
                create = f"create role {ROLE} login createdb in role pg_monitor password %L"
                await connection.execute(
                    await connection.fetchval("select format($1, $2::text)", create, self.password)
                )
            await connection.execute(f"alter role {ROLE} replication")
            await connection.execute(f"grant pg_create_subscription to {ROLE}")
            if not await connection.fetchval("select exists(select from pg_database where datname = $1)", ROLE):
                await connection.execute(f"create database {ROLE} owner {ROLE}")
        finally:
            await connection.close()

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{quote(self.password, safe='')}@{HOST}:{self.port}/{database}"
