"""A primary that dies under players is followed by its standby: nothing acknowledged is lost, nothing is doubled."""

import signal
from collections.abc import Iterator

import asyncpg
import pytest

from tests.cluster.running_cluster import START_SECONDS, RunningCluster, tell
from tests.cluster.running_up import made
from tests.cluster.swarm import Bots

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
"""


@pytest.fixture
def cluster() -> Iterator[RunningCluster]:
    with made(RunningCluster, CONFIG, nodes=2) as run:
        yield run


@pytest.mark.timeout(300)
async def test_a_killed_primary_is_followed_by_its_standby_and_nothing_is_lost(
    cluster: RunningCluster, bots: Bots
) -> None:
    await cluster.start(START_SECONDS)
    first = await cluster.in_step("one")

    async def kill() -> None:
        tell(cluster.postgres(first), signal.SIGKILL)
        await cluster.in_step("one", not_led_by=first)

    await cluster.bots_prove(bots, kill)
    url = cluster.settings.database_url("one").get_secret_value()
    connection = await asyncpg.connect(url, target_session_attrs="primary")
    try:
        names = await connection.fetchval("show synchronous_standby_names")
    finally:
        await connection.close()
    assert names.strip('"') == first, "the former primary is the standby that commits wait for"
