"""A `gameserver up` whose databases fail over, as tests start it, watch who leads, and do harm to its servers."""

import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.config.settings import Settings, load
from gameserver.stack.clusters import failover_api
from gameserver.stack.errors import StackError
from gameserver.stack.processes import process_table
from gameserver.stack.servers import datafolder
from gameserver.stack.servers.local_http import HOST
from gameserver.stack.servers.patroni_api import MemberState
from gameserver.stack.servers.roles import ROLE, SUPERUSER
from tests.cluster.running_up import RunningUp
from tests.cluster.swarm import Bots, BotsOutput
from tests.support.client import Api
from tests.support.wait import wait_until

START_SECONDS = 300
ELECTED_SECONDS = 60
"""Within which there is a primary with a standby in step, also on a machine that is busy with other tests."""
PLAYERS = 12
LONGEST = 240
"""Seconds that bots play at the most."""


@dataclass(frozen=True)
class FrontDoor:
    """Where players connect."""

    address: str


class RunningCluster(RunningUp):
    """One folder with the data of all servers, and the processes that run on it."""

    names: ClassVar[Sequence[str]] = (
        *(f"etcd_{number}" for number in (1, 2, 3)),
        *(f"etcd_peer_{number}" for number in (1, 2, 3)),
        *(f"{name}_{number}" for name in ("one", "two", "three") for number in (1, 2, 3)),
        *(f"{name}_api_{number}" for name in ("one", "two", "three") for number in (1, 2, 3)),
        *("redis", "redis_2", "sentinel_1", "sentinel_2", "sentinel_3"),
    )
    nodes: int = 2

    @property
    def settings(self) -> Settings:
        return load(self.config)

    @property
    def pid(self) -> int:
        """Of `up`."""
        assert self.popen is not None
        return self.popen.pid

    @property
    def door(self) -> FrontDoor:
        return FrontDoor(f"http://127.0.0.1:{self.port}")

    @property
    def operators(self) -> list[str]:
        """The URLs of the nodes' operators' doors."""
        return [f"http://127.0.0.1:{self.port + number}" for number in range(1, self.nodes + 1)]

    @property
    def admin_key(self) -> Path:
        return self.folder / "var" / "admin.key"

    @property
    def players(self) -> Sequence[str]:
        """The databases of players."""
        return self.settings.groups["players"].databases

    @property
    def failing_over(self) -> Sequence[str]:
        """The databases of several servers."""
        return [name for name, each in self.settings.databases.items() if each.members]

    def servers(self, database: str) -> int:
        """How many servers a database has."""
        return len(self.settings.databases[database].members)

    @asynccontextmanager
    async def superuser(self, database: str, member: str = "") -> AsyncIterator[asyncpg.Connection]:
        """A connection to the primary, or to the server that is named; its own writes wait for no standby."""
        found = [each for each in await self.members(database) if (each.name == member if member else each.leads)]
        connection = await asyncpg.connect(
            host=self.host(found[0].name), port=found[0].port, user=SUPERUSER, database=ROLE, timeout=5,
            password=self.superuser_password(database).get_secret_value(),
            server_settings={"synchronous_commit": "local"},
        )  # fmt: skip
        try:
            yield connection
        finally:
            connection.terminate()

    def host(self, member: str) -> str:
        """The address of a server."""
        return HOST

    def superuser_password(self, database: str) -> SecretStr:
        return self.settings.server_password(database, SUPERUSER)

    async def members(self, database: str) -> list[MemberState]:
        try:
            return await failover_api(self.settings, database).members()
        except StackError:
            return []

    async def leader(self, database: str) -> str:
        """The name of the server that leads. StackError if none does."""
        return (await failover_api(self.settings, database).leader()).name

    async def switch(self, database: str) -> None:
        await failover_api(self.settings, database).switch(None)

    async def in_step(self, database: str, *, not_led_by: str = "") -> str:
        """Waits for a primary with a standby in step, and returns its name."""
        found: list[str] = []

        async def holds() -> bool:
            members = await self.members(database)
            found[:] = [member.name for member in members if member.leads and member.name != not_led_by]
            return bool(found) and any(member.can_take_over for member in members)

        await wait_until(holds, ELECTED_SECONDS, f"{database} has a primary with a standby in step")
        return found[0]

    async def whole(self, database: str) -> None:
        """Waits for a primary, with which all others are in step."""

        async def holds() -> bool:
            members = await self.members(database)
            leaders = sum(member.leads for member in members)
            in_step = sum(member.can_take_over for member in members)
            return leaders == 1 and leaders + in_step == self.servers(database)

        await wait_until(holds, ELECTED_SECONDS, f"all servers of {database} are in step")

    def home(self, member: str) -> Path:
        """The folder of a server, with its data and its settings."""
        return self.folder / "var" / f"postgres-{member}"

    def postgres(self, member: str) -> int:
        """The pid of the Postgres of a member."""
        pid = self._postgres(self.home(member) / "data")
        assert pid is not None, f"no Postgres of {member} runs"
        return pid

    def child(self, words: str) -> int:
        """The pid of the process of `up` whose command matches."""
        found = self.running(words)
        assert found, f"no process of `up` matches {words}"
        return found[0]

    def running(self, words: str) -> list[int]:
        """The pids of the processes of `up`, and of what these started, whose command matches."""
        return [pid for pid in self._all() if re.search(words, process_table.command_line(pid))]

    def patroni(self, member: str) -> int:
        return self.child(rf"-m patroni .*postgres-{member}/patroni.json")

    def _all(self) -> list[int]:
        """With what Patroni started, which is nobody's child."""
        folders = (self.folder / "var").glob("postgres-*/data")
        masters = [pid for folder in folders if (pid := self._postgres(folder)) is not None]
        return [*super()._all(), *(each for pid in masters for each in (pid, *process_table.descendants(pid)))]

    @staticmethod
    def _postgres(folder: Path) -> int | None:
        first = datafolder.pid_file_lines(folder)[:1]
        pid = int(first[0]) if first and first[0].isdigit() else None
        return pid if pid is not None and process_table.works_in(pid, folder.resolve()) else None

    async def acted(self) -> float:
        """How many commands the nodes have carried out."""
        return await self._summed(rb"gameserver_commands_total(?:\{.*\})?")

    async def counted(self, sample: str) -> float:
        """The sum of a metric's sample over the nodes."""
        return await self._summed(re.escape(sample.encode()))

    async def _summed(self, pattern: bytes) -> float:
        total = 0.0
        for url in self.operators:
            async with Api(url) as api:
                body = (await api.ask("GET", "/metrics")).body
            total += sum(map(float, re.findall(rb"^%s (\S+)$" % pattern, body, re.MULTILINE)))
        return total

    async def go_on(self, times: int = 10) -> None:
        """Waits until the players have together acted so many times each."""
        before = await self.acted()

        async def have_acted() -> bool:
            return await self.acted() >= before + times * PLAYERS

        await wait_until(have_acted, ELECTED_SECONDS, "the players act")

    async def bots_prove(self, bots: Bots, disturb: Callable[[], Awaitable[None]], *words: str) -> BotsOutput:
        """Bots play before, while and after `disturb` runs; they must prove that nothing was lost or doubled."""

        async def disturbed() -> None:
            await self.go_on()
            await disturb()
            await self.go_on()

        admin = ("--admin-key-file", str(self.admin_key), "--admin-url", self.operators[0])
        run = ("run", "--players", str(PLAYERS), "--seconds", str(LONGEST), *admin, *words)
        done = await bots.play([self.door], *run, until=disturbed)
        assert done.code == 0, done.output
        assert "PROVED" in done.output
        assert done.report["ok"] is True
        return done


def require_etcd() -> None:
    """Skips the test where etcd is missing; fails it under CI."""
    if shutil.which("etcd") is None:
        reason = "etcd isn't installed (apt-get install etcd-server)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def tell(pid: int, what: signal.Signals) -> None:
    """A signal to a process, which may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, what)


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Processes that do nothing for a while, as on a machine that hangs."""
    for pid in pids:
        tell(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            tell(pid, signal.SIGCONT)
