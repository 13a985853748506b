"""Nodes behind HAProxy as operators change them, while players play and processes are killed."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from aiohttp import ClientConnectorError

from gameserver.config.settings import Settings, load
from gameserver.stack.processes import process_table
from gameserver.stack.servers.haproxy_api import RuntimeApi
from gameserver.stack.servers.node import NodeProcess
from tests.cluster.running_up import RunningUp, prepared
from tests.docker.front import require_haproxy
from tests.support.client import Api, Signed, command_id
from tests.support.command_line import CommandLine
from tests.support.nodes import node_process
from tests.support.wait import wait_until

CONFIG = """
game = "{game}"
[stack]
data = "var"
nodes = 2
[node]
port = {node}
drain_seconds = 3
notice_seconds = 0.2
[limits]
exempt = ["127.0.0.0/8"]
actions_per_player = {{ per_second = 5000, burst = 10000 }}
reads_per_player = {{ per_second = 5000, burst = 10000 }}

[haproxy]
port = {players}
operators_port = {operators}
places = 3
connections = 500
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
SHOWN = re.compile(r"^ *(node-\d) +(\S+:\d+) +(\S+(?: \d/\d)?) +(\S+(?: \d/\d)?) +(\d+) +(\S+)(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class NodesOutput:
    """The output of a `nodes` command, and its exit status."""

    status: int
    text: str

    @property
    def nodes(self) -> dict[str, tuple[str, str, str]]:
        """State over HTTP, state for sockets and pid, by name."""
        return {row[1]: (row[3], row[4], row[6]) for row in SHOWN.finditer(self.text)}


class Operators:
    """The commands of the stack's operators."""

    def __init__(self, up: RunningUp, command_line: CommandLine) -> None:
        self.up, self._command_line = up, command_line
        self.url = f"http://127.0.0.1:{up.ports['players']}"
        self.api = RuntimeApi(up.folder / "var" / "run" / "haproxy.sock")

    async def nodes(self, *arguments: str) -> NodesOutput:
        why = () if arguments[0] == "list" else ("--reason", "a test")
        done = await self._command_line.gameserver("nodes", *arguments, *why, "--config", str(self.up.config))
        return NodesOutput(done.code, done.text)

    def pid_of(self, program: str) -> int | None:
        """The process of `up` whose command or environment names it."""
        assert self.up.popen is not None
        return next(
            (pid for pid in process_table.descendants(self.up.popen.pid) if program in process_table.command_line(pid)),
            None,
        )

    async def states(self) -> dict[str, tuple[str, str]]:
        """The state over HTTP and that for sockets of every node, by name."""
        return {name: row[:2] for name, row in (await self.nodes("list")).nodes.items()}

    async def is_back(self, name: str) -> bool:
        return (await self.states()).get(name) == ("UP", "UP")

    async def are_as_at_first(self) -> bool:
        return await self.states() == dict.fromkeys(("node-1", "node-2"), ("UP", "UP"))


@pytest.fixture(scope="module")
def run() -> Iterator[RunningUp]:
    """One for all tests of this module: every test leaves node-1, node-2 and a free place, be it moments later."""
    require_haproxy()
    with prepared(CONFIG, nodes=3) as prepared_up:
        asyncio.run(prepared_up.start())
        yield prepared_up


@pytest.fixture
async def operators(run: RunningUp, command_line: CommandLine) -> Operators:
    """Of two nodes that are in rotation, also if the test before has killed one, or HAProxy."""
    found = Operators(run, command_line)
    await wait_until(found.are_as_at_first, 40, "both nodes are in rotation")
    return found


@pytest.fixture
async def api(operators: Operators) -> AsyncIterator[Api]:
    async with Api(operators.url) as client:
        yield client


@asynccontextmanager
async def load_on(api: Api) -> AsyncIterator[list[tuple[int, str | None]]]:
    """Four players act over keep-alive connections while the block runs; yields the answer to each request."""
    answers: list[tuple[int, str | None]] = []
    over = asyncio.Event()
    players = [await api.sign_up() for _ in range(4)]
    playing = [asyncio.create_task(_play(api, player, over, answers)) for player in players]
    try:
        yield answers
    finally:
        over.set()
        acted = await asyncio.gather(*playing)
    for player, count in zip(players, acted, strict=True):
        me = await api.ask("GET", "/v1/players/me", token=player.token)
        assert me.status == 200, me.body
        assert me.body["version"] == 1 + count, "each acknowledged command took effect once"


async def _play(api: Api, player: Signed, over: asyncio.Event, answers: list[tuple[int, str | None]]) -> int:
    """How many commands changed the player."""
    done = 0
    while not over.is_set():
        answer = await api.act(player, "rest" if len(answers) % 2 else "hunt", key=command_id())
        answers.append((answer.status, answer.code))
        done += answer.status == 200
    return done


def failed(answers: list[tuple[int, str | None]]) -> list[tuple[int, str | None]]:
    """The answers that are neither a success nor a refusal by a rule."""
    return [(status, code) for status, code in answers if status != 200 and code not in ("player_is_down", "full_hp")]


async def test_a_rolling_restart_fails_no_request_and_renews_every_node(operators: Operators, api: Api) -> None:
    before = (await operators.nodes("list")).nodes
    async with load_on(api) as answers:
        outcome = await operators.nodes("restart")
        assert outcome.status == 0, outcome.text
    assert failed(answers) == []
    assert len(answers) > 200
    assert {name: row[:2] for name, row in outcome.nodes.items()} == dict.fromkeys(before, ("UP", "UP"))
    assert not {row[2] for row in outcome.nodes.values()} & {row[2] for row in before.values()}


async def test_a_node_is_added_drained_and_removed_without_a_failed_request_and_killing_haproxy_changes_nothing(
    operators: Operators, api: Api
) -> None:
    async with load_on(api) as answers:
        added = await operators.nodes("add")
        assert (added.status, added.nodes["node-3"][:2]) == (0, ("UP", "UP")), added.text
        assert "free places: 0" in added.text
        drained = await operators.nodes("drain", "node-2")
        assert (drained.status, drained.nodes["node-2"]) == (0, ("MAINT", "MAINT", "-")), drained.text
    assert failed(answers) == []
    await kill_haproxy(operators)
    assert await operators.states() == {
        "node-1": ("UP", "UP"), "node-2": ("MAINT", "MAINT"), "node-3": ("UP", "UP")}  # fmt: skip
    async with load_on(api) as answers:
        assert (await operators.nodes("remove", "node-2")).status == 0
        assert "node-2" in (await operators.nodes("add")).nodes
        removed = await operators.nodes("remove", "node-3")
    assert failed(answers) == []
    assert (removed.status, set(removed.nodes)) == (0, {"node-1", "node-2"})


async def kill_haproxy(operators: Operators) -> None:
    """Waits until another one has found every node in the state in which the killed one had it."""
    before = await operators.states()
    pid = operators.pid_of("haproxy -db")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    async def another_knows() -> bool:
        return operators.pid_of("haproxy -db") not in (None, pid) and await operators.states() == before

    await wait_until(another_knows, 40, "HAProxy is back")


async def test_a_node_that_somebody_else_runs_joins_and_leaves(operators: Operators, api: Api, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        node = await foreign_node(stack, load(operators.up.config), tmp_path)
        address = f"127.0.0.1:{node.port}"
        joined = await operators.nodes("add", f"localhost:{node.port}")
        assert (joined.status, joined.nodes["node-3"]) == (0, ("UP", "UP", "-")), joined.text
        assert address in joined.text
        again = await operators.nodes("add", address)
        assert (again.status, "is there already" in again.text or "places are taken" in again.text) == (1, True)
        await kill_haproxy(operators)
        assert (await operators.nodes("list")).nodes["node-3"] == ("UP", "UP", "-")
        async with load_on(api) as answers:
            removed = await operators.nodes("remove", "node-3")
        assert (removed.status, set(removed.nodes)) == (0, {"node-1", "node-2"})
        assert failed(answers) == []
        assert node.process.pid is not None, "it isn't ours to stop"


async def foreign_node(stack: AsyncExitStack, settings: Settings, folder: Path) -> NodeProcess:
    node = node_process(settings, folder, "foreign")
    stack.push_async_callback(node.stop)
    await node.start()
    return node


async def test_a_killed_node_comes_back_into_rotation_by_itself(operators: Operators) -> None:
    pid = (await operators.nodes("list")).nodes["node-1"][2]
    os.kill(int(pid), signal.SIGKILL)

    async def another_is_up() -> bool:
        row = (await operators.nodes("list")).nodes["node-1"]
        return row[2] not in (pid, "-") and row[:2] == ("UP", "UP")

    await wait_until(another_is_up, 40, "node-1 is back")


REFUSED = (
    ("drain node-9", "no node 'node-9': there are node-1, node-2."),
    ("remove node-3", "no node 'node-3'"),
    ("remove node-1; show info", "no node"),
    ("add nowhere", "isn't an address"),
    ("add 127.0.0.1:0", "isn't an address"),
    ("add 127.0.0.1:99999", "isn't an address"),
    ("add no-such-host.invalid:80", "isn't found"),
    ("add 127.0.0.1:1", "No node answers at 127.0.0.1:1"),
    ("add HAPROXY", "No node answers"),
    ("add NODE", "is there already, as node-1"),
)
"""Commands and what their answer says, one after another on nodes that nobody else changes."""


async def test_what_cant_be_done_is_refused_with_its_reason_and_changes_nothing(operators: Operators) -> None:
    ports = operators.up.ports
    given = {"HAPROXY": f"127.0.0.1:{ports['players']}", "NODE": f"127.0.0.1:{ports['node'] + 1}"}
    before = known((await operators.nodes("list")).nodes)
    for command, reason in REFUSED:
        word, argument = command.split(" ", 1)
        outcome = await operators.nodes(word, given.get(argument, argument))
        assert (outcome.status, reason in outcome.text) == (1, True), f"{command}: {outcome.text}"
        assert "Traceback" not in outcome.text, command
        assert known((await operators.nodes("list")).nodes) == before, command


def known(nodes: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Without how many checks in a row said so, which rises after a start."""
    return {name: [word.split()[0] for word in words] for name, words in nodes.items()}


async def test_the_last_node_that_is_ready_is_neither_drained_nor_removed_nor_restarted(operators: Operators) -> None:
    assert (await operators.nodes("drain", "node-2")).status == 0
    try:
        for command in (("drain", "node-1"), ("remove", "node-1"), ("restart",)):
            outcome = await operators.nodes(*command)
            assert (outcome.status, "node-1 is the only node that is ready" in outcome.text) == (1, True)
        twice = await operators.nodes("drain", "node-2")
        assert (twice.status, "drained already" in twice.text) == (1, True)
        assert await operators.is_back("node-1")
    finally:
        await operators.nodes("remove", "node-2")
        assert (await operators.nodes("add")).nodes["node-2"][:2] == ("UP", "UP")


async def test_no_place_left_is_said_and_two_changes_at_a_time_are_one_too_many(operators: Operators) -> None:
    first, second = await asyncio.gather(operators.nodes("add"), operators.nodes("add"))
    try:
        assert {first.status, second.status} == {0, 1}
        refused = first if first.status else second
        assert "Another change of the nodes is under way" in refused.text
        third = await operators.nodes("add")
        assert (third.status, "All 3 places are taken" in third.text) == (1, True)
    finally:
        assert (await operators.nodes("remove", "node-3")).status == 0


async def is_ready(url: str) -> bool:
    try:
        async with Api(url) as node:
            return (await node.ask("GET", "/ready")).status == 200
    except ClientConnectorError:
        return False


async def test_players_and_operators_have_doors_of_their_own_and_it_is_shown_what_runs_where(
    operators: Operators, api: Api
) -> None:
    assert f"Players: {operators.url}" in operators.up.output()
    assert (await api.ask("GET", "/stats")).status == 404
    async with Api(f"http://127.0.0.1:{operators.up.ports['operators']}") as door:
        assert b"node-3" in (await door.ask("GET", "/stats")).body
        assert b'haproxy_server_status{proxy="sockets",server="node-3"' in (await door.ask("GET", "/metrics")).body
        key = (operators.up.folder / "var" / "admin.key").read_text()
        assert (await door.ask("GET", "/admin/v1/stats", token=key)).status == 200
    for number in (1, 2):
        url = f"http://127.0.0.1:{operators.up.port + number}"
        await wait_until(partial(is_ready, url), 20, f"node {number} is ready, also if a test before has killed it")
