"""A Postgres instance as a child process, durable by its settings, with the role and database `gameserver`.

Law: after any number of kills at any moment, `start` gets it running again. It makes the data folder if there is none,
waits for the processes of an earlier run, removes a stale pid file, and returns when the instance answers. A half-made
data folder is never used, since it gets its name only when it is complete, and none stays when making it fails: it may
have filled the disk. Where a replica has data none is made: its own was lost, and that may be the last copy. It listens
on 127.0.0.1 alone, and every connection needs the password.
"""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import asyncpg
from pydantic import SecretStr

from gameserver.stack.errors import StackError
from gameserver.stack.processes import ports
from gameserver.stack.processes.account import Account, for_servers, output_of
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers import binaries, datafolder, folders, roles, standbys
from gameserver.stack.servers.managed import ManagedServer
from gameserver.stack.servers.roles import ROLE, SUPERUSER

HOST = "127.0.0.1"
DURABLE: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "logical",
    "checkpoint_timeout": "15min",
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


@dataclass(eq=False, kw_only=True)
class PostgresServer(ManagedServer):
    """One instance: its data folder, and the process that runs on it."""

    _stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    """A fast shutdown: open transactions are rolled back."""
    _making_seconds: ClassVar[float] = 120
    _ready_seconds: ClassVar[float] = 180
    """Recovery after a kill reads up to max_wal_size of write-ahead log."""

    data: Path
    port: int
    password: SecretStr
    """Of the nodes' role."""
    superuser_password: SecretStr | None = None
    """None if it is that of the nodes' role."""
    former_password: SecretStr | None = None
    """With which the data may have been made: it is replaced at the next start."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Server settings that override DURABLE."""
    standbys: Sequence[str] = ()
    """The names of its replicas; each has a replication slot, so that WAL is kept for it while it is away."""
    copies: Sequence[Path] = ()
    """The data folders of its replicas."""
    synchronous: bool = False
    """Whether a commit is acknowledged only when one of the replicas has it on disk, too."""
    archived: bool = False
    """Whether its log is kept for backups, by a receiver that has a replication slot, too."""
    stop_seconds: float = 30
    what: str = field(default="Postgres", init=False)

    def __post_init__(self) -> None:
        self.data = self.data.absolute()
        self._manage(f"Postgres {self.name}", self.data.with_name(self.data.name + ".lock"))
        self._setup = self.process.beside(f"The set-up of Postgres {self.name}")
        self._account: Account | None = None
        self._programs = Path()
        self._folder = self.data

    @property
    def url(self) -> str:
        """With the role and database that the nodes use."""
        return self._url(ROLE, ROLE, self.password)

    @property
    def superuser_url(self) -> str:
        """With the superuser, for setting up replication and the like."""
        return self._url(SUPERUSER, "postgres", self._superuser_password)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def check(self) -> None:
        """Raises StackError if a program is missing, or the data, its folder or the port can't be used."""
        try:
            await asyncio.to_thread(self._prepare)
        except OSError as error:
            raise StackError(f"The data folder {self.data} can't be used: {error}.") from None
        ports.require_free(HOST, self.port, f"databases.{self.name}.embedded.port")

    async def _start_process(self) -> None:
        await self.check()
        await asyncio.to_thread(datafolder.take_restored, self._folder)
        await self._make_data()
        datafolder.remove_stale_pid_file(self._folder)
        self.process.start(self._launch(self._server_command(), self._folder, signal.SIGINT))
        await self.process.until(self._accepts, self._ready_seconds)
        await self._provide()

    def _prepare(self) -> None:
        self._account = for_servers()
        self._programs = folders.for_programs(binaries.postgres(), self._account)
        version = output_of((str(self._programs / "initdb"), "--version"), self._account)
        major = re.search(r"\d+", "".join((version or "").split()[-1:]))
        if version is None or major is None:
            raise StackError(f"{self._programs / 'initdb'} doesn't run on this machine.")
        if int(major[0]) != binaries.POSTGRES_MAJOR:
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
        self._require_no_copy()
        made = self._half
        secret = self._folder.with_name(self._folder.name + ".password")
        setup = self._setup
        try:
            # Under another name, which only a complete folder loses.
            await asyncio.to_thread(datafolder.make_empty, made, self._account)
            datafolder.write_secret(secret, self._secret_for_making, self._account)
            setup.start(self._launch(self._making_command(made, secret), self._folder.parent, signal.SIGKILL))
            if not await setup.ended(self._making_seconds) or setup.status != 0:
                raise StackError(f"{setup.name} failed ({setup.status_text}){setup.last_words()}")
            datafolder.put_in_place(made, self._folder)
        except OSError as error:
            raise StackError(f"The data folder {self.data} can't be made: {error}.") from None
        finally:
            setup.kill()
            secret.unlink(missing_ok=True)
            await asyncio.to_thread(shutil.rmtree, made, ignore_errors=True)  # there only if it isn't complete

    def _require_no_copy(self) -> None:
        """Raises StackError, OSError."""
        if held := [str(folder) for folder in self.copies if not datafolder.is_new(folder)]:
            raise StackError(
                f"{self.data} has no data, and its replica has some, in {' and '.join(held)}. If it lies on a disk "
                "that isn't mounted, mount that. If the data is lost, the replica's may be the last copy: go on from "
                "it as docs/replication.md says, or restore a backup. To begin with nothing, move it away."
            )

    @property
    def _half(self) -> Path:
        """Where its data is made."""
        return self._folder.with_name(self._folder.name + ".new")

    @property
    def _secret_for_making(self) -> str:
        """The content of the file that `_making_command` gets."""
        return self._superuser_password.get_secret_value()

    def _making_command(self, folder: Path, secret: Path) -> tuple[str, ...]:
        """What fills an empty data folder.

        With the C.UTF-8 that Postgres brings itself: text order doesn't change with the machine's libraries.
        """
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

    def _server_command(self) -> tuple[str, ...]:
        settings = {**DURABLE, **self._replication(), **self.settings, **self._place()}
        options = tuple(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))
        return (str(self._programs / "postgres"), "-D", str(self._folder), *options)

    def _place(self) -> Mapping[str, str]:
        """Where it listens."""
        return {"listen_addresses": HOST, "port": str(self.port), "unix_socket_directories": ""}

    def _replication(self) -> Mapping[str, str]:
        """Settings that follow from its part in replication. WAL that a lost replica needs can't fill the disk."""
        if not self.standbys and not self.archived:
            return {}
        kept = {"max_slot_wal_keep_size": "8GB"}
        if not self.synchronous or not self.standbys:
            return kept
        names = ", ".join(f'"{name}"' for name in self.standbys)
        return {**kept, "synchronous_standby_names": f"ANY 1 ({names})"}

    def _launch(self, command: tuple[str, ...], folder: Path, orphaned: signal.Signals) -> Launch:
        return Launch(
            argv=command,
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            lock=self._lock,
            orphaned=orphaned,
            account=self._account,
        )

    async def _accepts(self) -> bool:
        return datafolder.is_ready(self._folder, self.process.pid)

    async def _provide(self) -> None:
        """The roles with their passwords, the nodes' database, and no slots of former replicas."""
        address, passwords = (HOST, self.port), (self._superuser_password, self.former_password or self.password)
        try:
            connection = await roles.connect_first(address, passwords)
            try:
                await roles.provide(connection, self.password)
                await standbys.drop_former(connection, self.standbys, archived=self.archived)
            finally:
                await connection.close()
        except asyncpg.InvalidPasswordError:
            raise StackError(
                f"The data in {self.data} was made with another password: "
                "put the old one back, or remove the folder to start over."
            ) from None
        except roles.DRIVER_ERRORS as error:
            raise StackError(f"{self.process.name} doesn't answer: {error}{self.process.last_words()}") from None

    @property
    def _superuser_password(self) -> SecretStr:
        return self.superuser_password or self.password

    def _url(self, role: str, database: str, password: SecretStr) -> str:
        return f"postgresql://{role}:{quote(password.get_secret_value(), safe='')}@{HOST}:{self.port}/{database}"
