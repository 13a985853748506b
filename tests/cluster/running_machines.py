"""A database on three machines, as docs/failover.md describes them: on each an etcd, a Patroni and its Postgres.

Nodes, another database and Redis are on a fourth machine, where `gameserver up` and the tests run.
"""

import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from pydantic import SecretStr

from gameserver.stack.processes.account import for_servers
from gameserver.stack.servers import binaries, datafolder, folders, python_copy, roles
from gameserver.stack.servers.local_http import HOST, BasicLogin
from gameserver.stack.servers.patroni_api import MemberState
from gameserver.stack.servers.patroni_settings import API_USER, MemberPasswords, MemberPlace, patroni_settings
from gameserver.stack.servers.roles import ROLE
from tests.cluster.machines import Machine, MachineNetwork, machines
from tests.cluster.running_cluster import RunningCluster, require_etcd
from tests.cluster.running_up import made
from tests.support.command_line import WARM
from tests.support.wait import wait_until

APART = "one"
"""The database on the machines; `two` is on that of the nodes."""
POSTGRES, API, ETCD, ETCD_PEER = 5432, 8008, 2379, 2380
PASSWORD = SecretStr("a-password-of-the-tests")
CONFIG = """
game = "{game}"
[stack]
data = "var"
[node]
port = {node}
drain_seconds = 3
[limits]
exempt = ["127.0.0.0/8"]
actions_per_player = {{ per_second = 5000, burst = 10000 }}
reads_per_player = {{ per_second = 5000, burst = 10000 }}
[databases.one]
url = "postgresql://ROLE:PASSWORD@ADDRESSES/ROLE"
synchronous = true
[databases.two]
embedded = {{ port = {two_1} }}
[redis]
embedded = {{ port = {redis} }}
[control]
database = "two"
[groups.accounts]
databases = ["two"]
[groups.players]
databases = ["one", "two"]
"""


def config(network: MachineNetwork, before: Sequence[str] = ()) -> str:
    """The nodes ask the addresses `before` first."""
    hosts = (*before, *(machine.address for machine in network.machines))
    addresses = ",".join(f"{host}:{POSTGRES}" for host in hosts)
    filled = CONFIG.replace("ADDRESSES", addresses).replace("ROLE", ROLE)
    return filled.replace("PASSWORD", PASSWORD.get_secret_value())


class RunningMachines(RunningCluster):
    """The nodes' machine, and what is done to the others."""

    network: MachineNetwork

    def __init__(self, folder: Path, settings: str, nodes: int) -> None:
        super().__init__(folder, settings, nodes)
        self.started: list[subprocess.Popen[bytes]] = []

    @property
    def failing_over(self) -> Sequence[str]:
        return [APART]

    def servers(self, database: str) -> int:
        return len(self.network.machines) if database == APART else 1

    def machine(self, name: str) -> Machine:
        """That of a server."""
        return self.network.machines[int(name.rpartition("-")[2]) - 1]

    def host(self, member: str) -> str:
        return self.machine(member).address

    def superuser_password(self, database: str) -> SecretStr:
        return PASSWORD

    def home(self, member: str) -> Path:
        return self.folder / "machines" / f"postgres-{member.rpartition('-')[2]}"

    def others(self, name: str) -> list[Machine]:
        """The machines of the other servers."""
        return [machine for machine in self.network.machines if machine is not self.machine(name)]

    async def members(self, database: str) -> list[MemberState]:
        """As the newest primary's Patroni says, or any."""
        views = [found for machine in self.network.machines if (found := await _cluster(machine))]
        return max(
            views, key=lambda view: max((each.timeline or 0 for each in view if each.leads), default=0), default=[]
        )

    async def leader(self, database: str) -> str:
        return next(member.name for member in await self.members(database) if member.leads)

    async def switch(self, database: str, to: str | None = None) -> None:
        leader = await self.leader(database)
        async with _asking() as session:
            await session.post(
                f"http://{self.machine(leader).address}:{API}/switchover",
                json={"leader": leader, **({} if to is None else {"candidate": to})},
                headers={"Authorization": BasicLogin(API_USER, PASSWORD).header()},
                timeout=aiohttp.ClientTimeout(60),
            )

    async def start_machines(self) -> None:
        """Starts them, and makes the role and the database of the nodes on the primary."""
        for machine in self.network.machines:
            self.start_machine(machine)
        await wait_until(self._is_whole, 120, "the machines have a primary whose standbys are in step")
        address = (self.machine(await self.leader(APART)).address, POSTGRES)
        connection = await roles.connect_first(address, (PASSWORD,))
        await roles.provide(connection, PASSWORD)
        await connection.close()

    def start_machine(self, machine: Machine) -> None:
        """Also one that was killed: its disk has what it had."""
        data, machines = self.folder / "machines", self.network.machines
        data.mkdir(mode=0o755, exist_ok=True)
        number = 1 + machines.index(machine)
        self.started += [start(data, number, machine, machines) for start in (start_etcd, start_patroni)]

    async def lead_etcd(self, machine: Machine) -> None:
        """Makes the etcd of a machine the leader of all."""

        async def leads() -> bool:
            states = {each: await _etcd(each, "status") for each in self.network.machines}
            ids = {state["header"]["member_id"]: each for each, state in states.items()}
            leader, wanted = ids.get(states[machine].get("leader")), states[machine]["header"]["member_id"]
            if leader is not None and leader is not machine:
                await _etcd(leader, "transfer-leadership", targetID=wanted)
            return leader is machine

        await wait_until(leads, 20, "etcd's leader is on that machine")

    def kill(self) -> None:
        super().kill()
        for machine in self.network.machines:
            machine.kill()
        for popen in self.started:
            popen.wait()

    async def _is_whole(self) -> bool:
        members = await self.members(APART)
        return sum(each.leads for each in members) == 1 and sum(each.can_take_over for each in members) == 2


def start_etcd(data: Path, number: int, machine: Machine, machines: Sequence[Machine]) -> "subprocess.Popen[bytes]":
    names = {other.address: f"etcd-{count}" for count, other in enumerate(machines, 1)}
    own = f"http://{machine.address}"
    options = {
        "name": names[machine.address],
        "data-dir": str(data / names[machine.address]),
        "listen-client-urls": f"{own}:{ETCD}",
        "advertise-client-urls": f"{own}:{ETCD}",
        "listen-peer-urls": f"{own}:{ETCD_PEER}",
        "initial-advertise-peer-urls": f"{own}:{ETCD_PEER}",
        "initial-cluster": ",".join(f"{name}=http://{address}:{ETCD_PEER}" for address, name in names.items()),
        # As docs/failover.md advises for machines of one network.
        "heartbeat-interval": "50",
        "election-timeout": "500",
        "log-level": "warn",
    }
    words = ["--pre-vote", *(f"--{name}={value}" for name, value in options.items())]
    return launch(machine.words(str(binaries.etcd()), *words), data / f"etcd-{number}.log")


def start_patroni(data: Path, number: int, machine: Machine, machines: Sequence[Machine]) -> "subprocess.Popen[bytes]":
    account = for_servers()
    home = data / f"postgres-{number}"
    home.mkdir(exist_ok=True)
    home.chmod(0o700)
    datafolder.give_to(home, account)
    names = [f"{APART}-{count}" for count in range(1, len(machines) + 1)]
    place = MemberPlace(
        name=names[number - 1],
        database=APART,
        port=POSTGRES,
        api_port=API,
        home=home,
        others=[name for name in names if name != names[number - 1]],
    )
    passwords = MemberPasswords(superuser=PASSWORD, replicator=PASSWORD, nodes=PASSWORD, api=PASSWORD)
    etcd = [f"{other.address}:{ETCD}" for other in machines]
    programs = folders.for_programs(binaries.postgres(), account)
    # The product's settings, which are for one machine, with this machine's address in place of that one's.
    settings = json.loads(json.dumps(patroni_settings(place, passwords, etcd, programs)).replace(HOST, machine.address))
    settings["postgresql"]["pg_hba"] = [f"host {what} all samenet scram-sha-256" for what in ("all", "replication")]
    file = home / "patroni.json"
    datafolder.write_secret(file, json.dumps(settings), account)
    python = python_copy.for_patroni(account)
    command = machine.words(str(python.path), "-m", "patroni", str(file), account=account)
    return launch(command, data / f"patroni-{number}.log", **python.env)


def launch(command: Sequence[str], log: Path, **environment: str) -> "subprocess.Popen[bytes]":
    """It ends with its machine."""
    path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**path, **environment}, cwd="/",
            start_new_session=True,
        )  # fmt: skip


@asynccontextmanager
async def _asking() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(1)) as session:
        yield session


async def _etcd(machine: Machine, what: str, **body: str) -> Any:
    """The answer of a machine's etcd to a request for maintenance."""
    async with _asking() as session:
        answer = await session.post(f"http://{machine.address}:{ETCD}/v3/maintenance/{what}", json=body)
        return orjson.loads(await answer.read())


async def _cluster(machine: Machine) -> list[MemberState]:
    """All members, as the Patroni of a machine says; empty if it doesn't answer."""
    with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
        async with _asking() as session, session.get(f"http://{machine.address}:{API}/cluster") as answer:
            return [_member(found) for found in orjson.loads(await answer.read()).get("members", [])]
    return []


def _member(found: dict[str, object]) -> MemberState:
    timeline = found.get("timeline")
    return MemberState(
        name=str(found.get("name")),
        role=str(found.get("role")),
        state=str(found.get("state")),
        port=POSTGRES,
        timeline=timeline if isinstance(timeline, int) else None,
        lag=None,
    )


@contextmanager
def three_machines(*before: str) -> Iterator[RunningMachines]:
    """With two nodes, which ask the addresses `before` first; nothing is started yet.

    Skips the test where machines or etcd can't be had.
    """
    require_etcd()
    with machines(3) as network:
        # What commands are forked from has to be on this network, too.
        WARM.end()
        try:
            with made(RunningMachines, config(network, before), nodes=2) as run:
                run.network = network
                yield run
        finally:
            WARM.end()
