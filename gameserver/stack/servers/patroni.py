"""One Postgres of a database that fails over, run by its Patroni, which is the child process.

Law: `up` decides nothing about who leads. It starts a Patroni that died, which finds its Postgres as it left it,
running or not. Postgres outlives its Patroni, and is ended with it by `stop` and `kill`.
"""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gameserver.stack.errors import StackError
from gameserver.stack.processes import ports, process_table
from gameserver.stack.processes.account import Account, for_servers
from gameserver.stack.processes.process import Launch
from gameserver.stack.servers import binaries, datafolder, folders, local_http, python_copy
from gameserver.stack.servers.local_http import HOST
from gameserver.stack.servers.managed import ManagedServer
from gameserver.stack.servers.patroni_settings import MemberPasswords, MemberPlace, patroni_settings
from gameserver.stack.servers.python_copy import PythonProgram

_SETTLED_SECONDS = 20
"""A Patroni that runs for so long without answering waits for etcd, and goes on waiting."""
_POLL_SECONDS = 0.1


@dataclass(eq=False, kw_only=True)
class PatroniServer(ManagedServer):
    """One member of a database: its folder, Patroni, and the Postgres that Patroni runs in it."""

    data: Path
    database: str
    port: int
    api_port: int
    passwords: MemberPasswords
    etcd: Sequence[str]
    """host:port of each etcd."""
    others: Sequence[str] = ()
    """The names of the other servers of the database."""
    stop_seconds: float = 40
    what: str = field(default="Postgres under Patroni", init=False)

    def __post_init__(self) -> None:
        self.data = self.data.absolute()
        self._manage(f"Patroni {self.name}", self.data.with_name(self.data.name + ".lock"))
        self._account: Account | None = None
        self._programs, self._home = Path(), self.data
        self._python = PythonProgram(Path())

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def postgres_pid(self) -> int | None:
        """The Postgres that works in its folder, whoever started it; None when none does."""
        folder = self._place.data
        first = datafolder.pid_file_lines(folder)[:1]
        pid = int(first[0]) if first and first[0].isdigit() else None
        return pid if pid is not None and process_table.works_in(pid, folder) else None

    async def check(self) -> None:
        """Raises StackError if a program is missing, or the folder or a port can't be used."""
        try:
            await asyncio.to_thread(self._prepare)
        except OSError as error:
            raise StackError(f"The folder {self.data} can't be used: {error}.") from None
        ports.require_free(HOST, self.api_port, f"databases.{self.database}.members.api_port")
        if self.postgres_pid is None:
            ports.require_free(HOST, self.port, f"databases.{self.database}.members.port")

    async def _start_process(self) -> None:
        await self.check()
        file = self._home / "patroni.json"
        settings = patroni_settings(self._place, self.passwords, self.etcd, self._programs)
        try:
            datafolder.write_secret(file, json.dumps(settings), self._account)
        except OSError as error:
            raise StackError(f"The file {file} can't be written: {error}.") from None
        launch = Launch(
            argv=(str(self._python.path), "-m", "patroni", str(file)),
            cwd=self._home,
            env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self._home), **self._python.env},
            lock=self._lock,
            orphaned=signal.SIGTERM,
            account=self._account,
        )
        self.process.start(launch)
        settled = asyncio.get_running_loop().time() + _SETTLED_SECONDS

        async def settles() -> bool:
            return asyncio.get_running_loop().time() > settled or await self.answers()

        await self.process.until(settles, 2 * _SETTLED_SECONDS)

    async def stop(self) -> None:
        """Patroni stops its Postgres; one whose Patroni is gone is stopped here."""
        await super().stop()
        if (pid := self.postgres_pid) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            await self._until_gone()
        self._kill_postgres()

    def kill(self) -> None:
        """SIGKILL to both, as when the machine fails."""
        super().kill()
        self._kill_postgres()

    def _prepare(self) -> None:
        self._account = for_servers()
        self._programs = folders.for_programs(binaries.postgres(), self._account)
        self._python = python_copy.for_patroni(self._account)
        self._home = folders.for_data(self.data, self._account)
        self._home.mkdir(mode=0o700, exist_ok=True)
        if self._account is None:
            datafolder.require_own(self._home)
        datafolder.give_to(self._home, self._account)
        data = self._place.data
        if not (data / "global" / "pg_control").exists():
            shutil.rmtree(data, ignore_errors=True)  # a base backup that was interrupted: this file comes last
        datafolder.require_usable(data, binaries.POSTGRES_MAJOR)

    @property
    def _place(self) -> MemberPlace:
        return MemberPlace(
            name=self.name,
            database=self.database,
            port=self.port,
            api_port=self.api_port,
            home=self._home,
            others=self.others,
        )

    async def answers(self) -> bool:
        """Whether Patroni answers; while it waits for etcd after its start it doesn't."""
        try:
            await local_http.ask("GET", self.api_port, "/liveness")
        except local_http.UNANSWERED:
            return False
        return True

    async def _until_gone(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.stop_seconds):
                while self.postgres_pid is not None:  # noqa: ASYNC110 - another's process tells nobody of its end
                    await asyncio.sleep(_POLL_SECONDS)

    def _kill_postgres(self) -> None:
        pid = self.postgres_pid
        if pid is None:
            return
        for victim in (pid, *process_table.descendants(pid)):
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
