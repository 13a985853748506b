"""The table of docs/failover.md: a whole deployment to which tests do harm under the bots, and a row for each fault.

`make soak` runs it; each row is appended as JSON to the file that FAULT_TABLE names.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from gameserver.stack.processes.process_table import descendants
from tests.cluster.kept_logs import kept
from tests.cluster.pulse import SESSIONS, Pulse, beating
from tests.cluster.running_cluster import START_SECONDS, RunningCluster, require_etcd
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
actions_per_player = {{ per_second = 5000, burst = 10000 }}
reads_per_player = {{ per_second = 5000, burst = 10000 }}
[etcd]
members = [
    {{ port = {etcd_1}, peer_port = {etcd_peer_1} }},
    {{ port = {etcd_2}, peer_port = {etcd_peer_2} }},
    {{ port = {etcd_3}, peer_port = {etcd_peer_3} }},
]
[databases.one]
members = [{{ port = {one_1}, api_port = {one_api_1} }}, {{ port = {one_2}, api_port = {one_api_2} }}]
[databases.two]
members = [
    {{ port = {two_1}, api_port = {two_api_1} }},
    {{ port = {two_2}, api_port = {two_api_2} }},
    {{ port = {two_3}, api_port = {two_api_3} }},
]
[databases.three]
members = [{{ port = {three_1}, api_port = {three_api_1} }}, {{ port = {three_2}, api_port = {three_api_2} }}]
[redis.sentinels]
servers = [{redis}, {redis_2}]
ports = [{sentinel_1}, {sentinel_2}, {sentinel_3}]
[control]
database = "one"
[groups.accounts]
databases = ["one", "two"]
[groups.players]
databases = ["one", "two", "three"]
"""
SLOWER = float(os.environ.get("SLOWER", "3"))
"""How much slower than a machine of its own this one may be: others use it, too."""
HANGS_SECONDS = 35
"""Longer than the lease of a primary."""
OF_THREE, OF_TWO = "two", "three"
"""A database of three servers, which can lose one, and one of two, as in config/cluster.toml."""
VICTIMS = ("one", OF_THREE, OF_TWO)
"""The first is the control database."""
QUIET_ACTIONS = 300
"""Of each database before a fault, whose p99 is compared with the one during the fault."""
Harm = Callable[[RunningCluster, str], Awaitable[None]]


@contextmanager
def started_cluster() -> Iterator[RunningCluster]:
    """One for all faults of a module, each of which leaves it whole."""
    require_etcd()
    with made(RunningCluster, CONFIG, nodes=2) as run:
        asyncio.run(run.start(START_SECONDS))
        yield run


@dataclass(frozen=True)
class Row:
    """What one fault did; seconds without an acknowledged write and without a sign-in.

    Writes are those on its database, and those on the worst of the others. `failed` are requests of the bots that were
    answered by an error or not at all. The p99 are of milliseconds until an action is acknowledged, with its retries,
    before and during the fault: of the other database of which it grew most.
    """

    fault: str
    database: str
    servers: int
    lost: int
    doubled: int
    unexplained: int
    seen_then_lost: int
    unknown_landed: int
    failed: int
    errors: dict[str, int]
    writes_after: float
    others: float
    sessions_after: float
    others_p99_before: float
    others_p99_during: float

    def note(self) -> None:
        if (file := os.environ.get("FAULT_TABLE")) is not None:
            with Path(file).open("ab") as table:
                table.write(orjson.dumps(self) + b"\n")


async def measured(cluster: RunningCluster, bots: Bots, harm: Harm, victim: str) -> Row:
    """Does the harm under the bots and the pulse, and waits until all is whole again; keeps the logs if that fails."""
    with kept(cluster.folder, f"{harm.__name__} of {victim}"):
        return await _measured(cluster, bots, harm, victim)


async def _measured(cluster: RunningCluster, bots: Bots, harm: Harm, victim: str) -> Row:
    for name in cluster.failing_over:
        await cluster.whole(name)
    quiet = began = ended = 0.0
    async with beating(cluster.door.address, cluster.settings) as pulse:

        async def disturb() -> None:
            nonlocal quiet, began, ended
            quiet = time.monotonic()
            await all_beat(pulse, QUIET_ACTIONS)
            began = time.monotonic()
            await harm(cluster, victim)
            await cluster.in_step(victim)
            await all_beat(pulse)
            ended = time.monotonic()

        done = await cluster.bots_prove(bots, disturb)
    proof = done.report["summary"]["proof"]
    others = [name for name in cluster.players if name != victim]
    p99s = [(pulse.p99(name, quiet, began), pulse.p99(name, began, ended)) for name in others]
    before, during = max(p99s, key=lambda pair: pair[1] / pair[0])
    row = Row(
        fault=harm.__name__,
        database=victim,
        servers=cluster.servers(victim),
        lost=proof["lost"],
        doubled=proof["doubled"],
        unexplained=proof["unexplained"],
        seen_then_lost=pulse.seen_then_lost,
        unknown_landed=proof["unknown_fate"]["landed"],
        failed=sum(done.report["errors"].values()) + done.report["happened"].get("gave up", 0),
        errors=done.report["errors"],
        writes_after=round(pulse.gap(victim, began), 1),
        others=round(max(pulse.gap(name, began) for name in others), 1),
        sessions_after=round(pulse.gap(SESSIONS, began), 1),
        others_p99_before=round(1000 * before, 1),
        others_p99_during=round(1000 * during, 1),
    )
    row.note()
    assert (row.lost, row.doubled, row.unexplained, row.seen_then_lost) == (0, 0, 0, 0)
    return row


async def all_beat(pulse: Pulse, times: int = 1) -> None:
    """Waits until every database has acknowledged so much since now, and somebody has signed in."""
    now = time.monotonic()
    wanted = {name: 1 if name == SESSIONS else times for name in pulse.beats}
    async with asyncio.timeout(90):
        while any(pulse.since(name, now) < count for name, count in wanted.items()):  # noqa: ASYNC110 - times are what is waited for
            await asyncio.sleep(0.1)


def family(pid: int) -> list[int]:
    return [pid, *descendants(pid)]
