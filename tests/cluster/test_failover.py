"""A primary that dies under players is followed by its standby: nothing is lost or doubled, and backups go on."""

import ctypes
import json
import signal
from collections.abc import Iterator

import pytest

from gameserver.app import examine
from gameserver.stack.clusters import failover_api
from gameserver.stack.servers.patroni_settings import shared
from tests.cluster.running_cluster import START_SECONDS, RunningCluster, require_etcd, tell
from tests.cluster.running_up import made
from tests.cluster.swarm import Bots
from tests.support.command_line import CommandLine
from tests.support.wait import wait_until

PR_SET_CHILD_SUBREAPER = 36
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
[etcd]
members = [{{ port = {etcd_1}, peer_port = {etcd_peer_1} }}]
[databases.one]
members = [{{ port = {one_1}, api_port = {one_api_1} }}, {{ port = {one_2}, api_port = {one_api_2} }}]
[redis]
embedded = {{ port = {redis} }}
[control]
database = "one"
[groups.accounts]
databases = ["one"]
[groups.players]
databases = ["one"]
[backups]
folder = "backups"
"""


@pytest.fixture
def cluster() -> Iterator[RunningCluster]:
    """Under an init that reaps nothing, as in some containers: a dead Postgres mustn't count as one that runs."""
    require_etcd()
    with made(RunningCluster, CONFIG, nodes=2) as run:
        adopt(orphans=True)
        try:
            yield run
        finally:
            adopt(orphans=False)


def adopt(*, orphans: bool) -> None:
    """Whether this process is the init of those that it starts. It reaps none of them."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0)


@pytest.mark.timeout(300)
async def test_a_killed_primary_is_followed_by_its_standby_and_nothing_is_lost(
    cluster: RunningCluster, bots: Bots, command_line: CommandLine
) -> None:
    await cluster.start(START_SECONDS)
    first = await cluster.in_step("one")
    backed_up = await command_line.gameserver("backup", "--config", str(cluster.config))
    assert backed_up.code == 0, backed_up.errors

    async def kill() -> None:
        tell(cluster.postgres(first), signal.SIGKILL)
        await cluster.in_step("one", not_led_by=first)

    await cluster.bots_prove(bots, kill)
    second = await cluster.leader("one")
    listed = await command_line.gameserver("failover", "list", "--json", "--config", str(cluster.config))
    members = {member["name"]: member for member in json.loads(listed.out)["one"]}
    assert (members[first]["role"], members[second]["role"]) == ("sync_standby", "leader")
    assert members[second]["timeline"] == 2
    # The log goes on being kept, on the new timeline: what was written since can be restored.
    await wait_until(
        lambda: bool(list(cluster.folder.rglob("00000002*.partial"))), what="the new primary's log is kept"
    )
    into = ("--to", "latest", "--into", str(cluster.folder / "restored"), "--config", str(cluster.config))
    restored = await command_line.gameserver("restore", "--database", "one", *into)
    assert restored.code == 0, restored.errors
    assert "on timeline 3" in restored.out
    await standby_reads(cluster, first)
    await patroni_is_asked_for_slots(cluster)
    # What can't be done is refused, with Patroni's reason.
    words = ("failover", "switchover", "one", "--to", "nobody", "--reason", "a test", "--config", str(cluster.config))
    refused = await command_line.gameserver(*words)
    assert refused.code == 1
    assert "Patroni of one refused" in refused.errors
    assert await cluster.leader("one") == second
    await everything_ends_in_order(cluster)


async def everything_ends_in_order(cluster: RunningCluster) -> None:
    """A Postgres that has ended counts as ended for its Patroni, also while all of `up` stops."""
    assert cluster.popen is not None
    cluster.popen.send_signal(signal.SIGTERM)
    await wait_until(cluster.ended, 60, what="everything has ended")
    logs = "".join(log.read_text("utf-8") for log in (cluster.folder / "var" / "log").glob("postgres-*.log"))
    assert "database system is shut down" in logs
    assert "Timeout during postmaster stop" not in logs


async def standby_reads(cluster: RunningCluster, standby: str) -> None:
    """The former primary is a replica by now, the present one isn't; the bots' reads by token were answered by them."""
    replicas = [server for server in await examine(cluster.settings, 2) if server.kind == "replica"]
    assert [(server.name, server.symptoms) for server in replicas] == [(standby, [])]
    assert replicas[0].facts["age"] is not None
    assert await cluster.counted('gameserver_player_reads_total{source="replica"}') > 0


async def patroni_is_asked_for_slots(cluster: RunningCluster) -> None:
    """Patroni itself says whether the slots of moves and of the kept log stay."""
    assert await of_patroni(cluster) == []
    api = failover_api(cluster.settings, "one")
    await api.configure({"ignore_slots": None})
    # Those of moves stay also then: since 4.1 Patroni leaves failover slots alone.
    problem = "Patroni would drop the slot that keeps its log for backups"
    await wait_until(lambda: _is(cluster, [problem]), what="the change has reached Patroni")
    await api.configure({"ignore_slots": shared(2)["ignore_slots"]})
    await wait_until(lambda: _is(cluster, []), what="the change has reached Patroni")


async def _is(cluster: RunningCluster, problems: list[str]) -> bool:
    return await of_patroni(cluster) == problems


async def of_patroni(cluster: RunningCluster) -> list[str]:
    """What doctor says of Patroni."""
    return [
        symptom.problem
        for server in await examine(cluster.settings, 2)
        for symptom in server.symptoms
        if "Patroni" in symptom.problem
    ]
