"""A primary that dies under players is followed by its standby: nothing is lost or doubled, and backups go on."""

import json
import signal
from collections.abc import Iterator

import pytest

from tests.cluster.running_cluster import START_SECONDS, RunningCluster, require_etcd, tell
from tests.cluster.running_up import made
from tests.cluster.swarm import Bots
from tests.support.command_line import CommandLine
from tests.support.wait import wait_until

CONFIG = """
game = "{game}"
[stack]
data = "var"
[node]
port = {node}
drain_seconds = 3
[limits]
exempt = ["127.0.0.0/8"]
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
    require_etcd()
    with made(RunningCluster, CONFIG, nodes=2) as run:
        yield run


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
    # What can't be done is refused, with Patroni's reason.
    words = ("failover", "switchover", "one", "--to", "nobody", "--config", str(cluster.config))
    refused = await command_line.gameserver(*words)
    assert refused.code == 1
    assert "Patroni of one refused" in refused.errors
    assert await cluster.leader("one") == second
