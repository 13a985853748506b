"""`bots run --chaos` on a stack that `gameserver up` runs: real kills, and a proof that nothing was lost."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from bots.chaos import stack
from tests.cluster.running_up import RunningUp, prepared
from tests.support.command_line import CommandLine
from tests.support.wait import wait_until

CONFIG = """
game = "{game}"
[stack]
data = "var"
nodes = 1
[node]
port = {node}
drain_seconds = 3
[databases.one]
embedded = {{ port = {one} }}
[redis]
embedded = {{ port = {redis} }}
[control]
database = "one"
[groups.accounts]
databases = ["one"]
[groups.players]
databases = ["one"]
"""
PLAN = """
seed = 3
[[faults]]
kind = "kill"
target = "node"
at = 1
[[faults]]
kind = "kill"
target = "database"
at = 1.5
[[faults]]
kind = "freeze"
target = "redis"
at = 2
seconds = 0.5
[[faults]]
kind = "drain"
at = 2.5
"""


@pytest.fixture
def up() -> Iterator[RunningUp]:
    with prepared(CONFIG, nodes=1) as run:
        yield run


def pids(data: Path, *names: str) -> list[int]:
    found = stack.find([], data)
    assert found is not None
    return [process.pid for server in found.servers if server.name in names for process in server.processes]


async def test_bots_prove_that_nothing_is_lost_while_a_node_and_a_database_are_killed(
    up: RunningUp, command_line: CommandLine, tmp_path: Path
) -> None:
    await up.start()
    data, plan, page = up.folder / "var", tmp_path / "plan.toml", tmp_path / "run.html"
    plan.write_text(PLAN)
    servers = ("node-1", "one", "redis")
    before = pids(data, *servers)
    words = ("run", "--players", "8", "--seconds", "4", "--url", f"http://127.0.0.1:{up.port}", "--stack", str(data),
             "--admin-key-file", str(data / "admin.key"), "--admin-url", f"http://127.0.0.1:{up.port + 1}",
             "--chaos", str(plan), "--report", str(page), "--json", "-")  # fmt: skip
    async with command_line.running("bots.__main__", *words) as command:
        done = await command.end()
    assert done.code == 0, done.errors
    events = {f"{event['kind']} {event['target']}": event for event in orjson.loads(done.out)["events"]}
    assert {"kill node-1", "kill one", "freeze redis"} <= events.keys()
    assert "back after" in events["kill node-1"]["note"]
    assert "back after" in events["kill one"]["note"]
    drained = next(event["note"] for name, event in events.items() if name.startswith("drain"))
    assert drained.startswith("skipped: ")
    after = pids(data, *servers)
    assert len([pid for pid in before if pid not in after]) == 2, "only what was killed is another process now"
    html = page.read_text("utf-8")
    assert all(event["note"] in html for event in events.values())
    await _the_file_ends_with_its_up(up, data)


async def _the_file_ends_with_its_up(up: RunningUp, data: Path) -> None:
    assert up.popen is not None
    os.kill(up.popen.pid, signal.SIGTERM)
    await wait_until(up.ended, 30, "it has ended")
    assert not (data / "run" / "stack.json").exists()
