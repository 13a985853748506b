"""The supervisor in a process of its own, which is killed and signalled as terminals and machines do it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.stack.errors import StackError
from gameserver.stack.processes import process_table
from gameserver.stack.processes import supervisor as supervisors
from gameserver.stack.processes.ports import free_port
from gameserver.stack.processes.supervisor import Supervisor
from gameserver.stack.servers.redis import RedisServer
from tests.stack.conftest import PASSWORD, copy
from tests.stack.up import children
from tests.support.repository import ROOT
from tests.support.wait import wait_until


class SmallStack:
    """A running `tests.stack.up`, its output, and the processes that it has started."""

    def __init__(self, folder: Path, ports: list[int], manner: str) -> None:
        self.folder = folder
        self.ports = ports
        self.output = folder / f"output-{len(list(folder.glob('output-*')))}"
        command = [sys.executable, "-m", "tests.stack.up", str(folder), *map(str, ports), manner]
        with self.output.open("wb") as output:
            self.popen = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT)

    def text(self) -> str:
        return self.output.read_text()

    async def is_up(self) -> None:
        await wait_until(lambda: self.popen.poll() is not None or "\nup\n" in self.text(), 30, what="it is up")
        assert self.popen.poll() is None, self.text()

    def family(self) -> list[int]:
        """The pids of all processes that it started."""
        return process_table.descendants(self.popen.pid)

    def server(self, program: str) -> int | None:
        """The pid of a server; a node is recognised by the name of its ready file."""
        for pid in self.family():
            with suppress(OSError):
                identity = process_table.command_line(pid) + Path(f"/proc/{pid}/environ").read_text()
                if program in identity:
                    return pid
        return None

    async def ends(self, seconds: float = 30) -> int | None:
        await wait_until(lambda: self.popen.poll() is not None, seconds, what="its end")
        return self.popen.returncode

    async def execute(self, statement: str) -> object:
        connection = await asyncpg.connect(host="127.0.0.1", port=self.ports[0], user="gameserver", password=PASSWORD)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@pytest.fixture
async def up(folder: Path, pristine: Path) -> AsyncIterator[Callable[..., SmallStack]]:
    """Starts `tests.stack.up`; every process of it is dead when the test is over."""
    started: list[SmallStack] = []
    ports = [free_port(), free_port(), free_port()]
    copy(pristine, folder / "one")

    def start(manner: str = "usual") -> SmallStack:
        started.append(SmallStack(folder, ports, manner))
        return started[-1]

    yield start
    for one in started:
        family = [one.popen.pid, *one.family()] if one.popen.poll() is None else []
        kill_all(family)
        one.popen.wait()
        await wait_until(lambda pids=family: not alive(pids), what="the end of the family")


def kill_all(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def alive(pids: list[int]) -> list[str]:
    """The commands of the processes that have neither ended nor are zombies."""
    return [command for pid in pids if (command := process_table.command_line(pid))]


async def test_children_that_die_come_back_and_all_end_in_order_on_sigterm(up: Callable[..., SmallStack]) -> None:
    run = up()
    await run.is_up()
    ready = run.folder / "run" / "node-1.ready"
    ready.unlink()
    for program in ("postgres -D", "node-1.ready"):
        old = run.server(program)
        assert old is not None
        os.kill(old, signal.SIGKILL)
        await wait_until(lambda o=old, p=program: run.server(p) not in (None, o), what=f"{program} is back")
    await wait_until(ready.exists, what="node-1 is ready again")
    assert "Postgres one died (signal SIGKILL), its log is " in run.text()
    assert "Node node-1 died (signal SIGKILL), its log is " in run.text()
    family = run.family()
    run.popen.send_signal(signal.SIGTERM)
    assert await run.ends() == 0
    assert alive(family) == []
    ends = [(run.folder / "run" / f"node-{number}.ended").read_text() for number in (1, 2)]
    assert ends == ["in order", "in order"], "nodes end before the servers that they use"
    assert "database system is shut down" in (run.folder / "log" / "one.log").read_text()
    for word in ("node-2", "Postgres 18", f"127.0.0.1:{run.ports[1]}", str(run.folder / "log" / "one.log")):
        assert word in run.text()


async def test_a_killed_supervisor_leaves_no_child_and_the_next_one_has_the_data(
    up: Callable[..., SmallStack],
) -> None:
    run = up()
    await run.is_up()
    await run.execute("create table written (value int)")
    await run.execute("insert into written values (7)")
    family = run.family()
    assert len(family) > 8
    run.popen.kill()
    again = up()
    await again.is_up()
    assert alive(family) == []
    assert await again.execute("select value from written") == 7
    again.popen.send_signal(signal.SIGINT)
    assert await again.ends() == 0


async def test_after_a_kill_of_everything_at_once_it_comes_back_with_the_data(up: Callable[..., SmallStack]) -> None:
    run = up()
    await run.is_up()
    await run.execute("create table written (value int)")
    await run.execute("insert into written values (7)")
    kill_all([run.popen.pid, *run.family()])
    again = up()
    await again.is_up()
    assert await again.execute("select value from written") == 7


async def test_a_second_signal_kills_what_will_not_end(up: Callable[..., SmallStack]) -> None:
    run = up("stubborn")
    await run.is_up()
    family = run.family()
    run.popen.send_signal(signal.SIGINT)
    await wait_until(lambda: "stopping" in run.text())
    run.popen.send_signal(signal.SIGINT)
    assert await run.ends(5) == 0
    assert alive(family) == []


async def test_a_signal_during_the_start_ends_it_cleanly(up: Callable[..., SmallStack]) -> None:
    run = up("late")
    await wait_until(lambda: run.server("node-2.ready"), 30, what="the nodes are being started")
    family = run.family()
    run.popen.send_signal(signal.SIGTERM)
    assert await run.ends() == 0
    assert alive(family) == []


async def test_a_node_that_breaks_at_its_start_ends_everything_with_its_last_words(
    up: Callable[..., SmallStack],
) -> None:
    run = up("broken")
    assert await run.ends() == 1
    assert "ended (exit status 1) before it was ready" in run.text()
    assert "  the node is broken" in run.text()


async def test_a_second_supervisor_on_the_same_data_is_refused(folder: Path) -> None:
    async with Supervisor([], lock=folder / "up.lock"):
        with pytest.raises(StackError, match=f"already runs on {folder}"):
            async with Supervisor([], lock=folder / "up.lock"):
                pass


async def test_nothing_is_started_when_a_later_phase_cant_be(folder: Path) -> None:
    ports = [free_port(), free_port(), free_port()]
    postgres, redis, nodes = children(folder, ports, "usual")
    fault = f"Port {ports[2]} of 127.0.0.1 is taken by process {os.getpid()}"
    with socket.create_server(("127.0.0.1", ports[2])), pytest.raises(StackError, match=fault):
        async with Supervisor([postgres, redis, *nodes], lock=folder / "up.lock") as supervisor:
            await supervisor.start(postgres, redis)
    assert not postgres.data.exists()
    assert postgres.process.status is None
    assert redis.process.status is None


async def test_a_failure_in_the_block_stops_the_children_and_is_raised(folder: Path) -> None:
    _, redis, _ = children(folder, [free_port(), free_port(), free_port()], "usual")

    async def block() -> None:
        async with Supervisor([redis], lock=folder / "up.lock") as supervisor:
            await supervisor.start(redis)
            raise ValueError("the migration failed")

    with pytest.raises(ValueError, match="migration"):
        await block()
    assert redis.process.status == 0


async def test_a_cancellation_that_no_signal_caused_stays_one(folder: Path) -> None:
    async def block() -> None:
        async with Supervisor([], lock=folder / "up.lock"):
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Hesitant(RedisServer):
    """One that can't start until it is let."""

    allowed = False
    fault: Exception = StackError("its disk is full")
    refused = 0

    async def check(self) -> None:
        if not self.allowed:
            self.refused += 1
            raise self.fault
        await super().check()


def hesitant(folder: Path) -> Hesitant:
    log = folder / "log" / "kept.log"
    return Hesitant(name="kept", data=folder / "kept", port=free_port(), password=SecretStr(PASSWORD), log=log)


async def test_a_child_that_is_kept_keeps_nobody_from_starting_and_is_tried_until_it_starts(folder: Path) -> None:
    _, redis, _ = children(folder, [free_port(), free_port(), free_port()], "usual")
    kept = hesitant(folder)
    async with Supervisor([redis], lock=folder / "up.lock") as supervisor:
        supervisor.keep(kept)
        await supervisor.start(redis)
        running = asyncio.create_task(supervisor.run())
        assert (redis.process.pid is not None, kept.process.pid) == (True, None)
        kept.allowed = True
        await wait_until(lambda: kept.process.pid is not None, 30, what="it is started when it can be")
        assert not running.done()
        running.cancel()
    assert kept.process.pid is None


@pytest.mark.parametrize(
    "fault",
    [RuntimeError("nobody thought of this"), asyncpg.TooManyConnectionsError("all are taken"), OSError("no space")],
    ids=["any", "driver", "disk"],
)
async def test_whatever_keeps_a_dead_child_from_coming_back_it_is_tried_again_and_the_rest_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(supervisors, "_FIRST_DELAY", 0.01)
    child = hesitant(folder)
    child.allowed, child.fault = True, fault
    async with Supervisor([child], lock=folder / "up.lock") as supervisor:
        await supervisor.start(child)
        running = asyncio.create_task(supervisor.run())
        child.allowed = False
        child.kill()
        await wait_until(lambda: running.done() or child.refused > 1, 10, what="it is tried again")
        assert not running.done(), running.exception()
        child.allowed = True
        await wait_until(lambda: child.process.pid is not None, 10, what="it is back")
        running.cancel()
