"""Postgres as a child: its data survives every kind of end, and what prevents a start is named."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.stack.errors import StackError
from gameserver.stack.processes import account, process_table
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers import standbys
from gameserver.stack.servers.postgres import PostgresServer
from tests.stack.conftest import FAST
from tests.support.wait import wait_until

Make = Callable[..., PostgresServer]


async def remember(server: PostgresServer, value: int) -> None:
    connection = await asyncpg.connect(server.url)
    await connection.execute("create table if not exists written (value int)")
    await connection.execute("insert into written values ($1)", value)
    await connection.close()


async def remembered(server: PostgresServer) -> list[int]:
    connection = await asyncpg.connect(server.url)
    rows = await connection.fetch("select value from written order by value")
    await connection.close()
    return [row["value"] for row in rows]


SET_UP = """
import asyncio, sys
from pathlib import Path
from pydantic import SecretStr
from gameserver.stack.servers.postgres import PostgresServer
data = Path(sys.argv[1])
log = data.with_name("killed.log")
asyncio.run(PostgresServer(name="one", data=data, port=int(sys.argv[2]), password=SecretStr("x"), log=log).start())
"""


def start_as(uid: int, command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, user=uid if os.geteuid() == 0 else None, stderr=subprocess.DEVNULL)


def names_in(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


@pytest.fixture
def stranger() -> Iterator[int]:
    """The pid of a process that isn't Postgres, but belongs to the account that Postgres runs as."""
    runs_as = account.for_servers()
    process = subprocess.Popen(["sleep", "60"], user=runs_as.uid if runs_as else None)
    yield process.pid
    process.kill()
    process.wait()


async def test_what_was_committed_is_there_after_a_stop_and_after_a_kill(postgres: Make) -> None:
    server = postgres(settings={}, new=True)
    await server.start()
    await remember(server, 1)
    await server.stop()
    assert server.process.status == 0
    await server.start()
    await remember(server, 2)
    server.kill()
    await server.start()
    assert await remembered(server) == [1, 2]


async def test_the_postmaster_alone_can_be_killed_while_its_backends_still_run(postgres: Make) -> None:
    server = postgres()
    await server.start()
    await remember(server, 1)
    assert server.process.pid is not None
    os.kill(server.process.pid, signal.SIGKILL)
    await wait_until(lambda: server.process.pid is None)
    await server.start()
    assert await remembered(server) == [1]


async def test_a_killed_postgres_leaves_no_child(postgres: Make) -> None:
    server = postgres()
    await server.start()
    assert server.process.pid is not None
    family = [server.process.pid, *process_table.descendants(server.process.pid)]
    assert len(family) > 3
    server.kill()
    await wait_until(lambda: not any(process_table.command_line(pid) for pid in family), what="all of it is dead")


@pytest.mark.parametrize("content", ["{stranger}\n{data}\n", "", "nonsense\n", "99999999\n{data}\n"])
async def test_a_stale_pid_file_does_no_harm(postgres: Make, stranger: int, content: str) -> None:
    server = postgres()
    await server.start()
    server.kill()
    (server.data / "postmaster.pid").write_text(content.format(stranger=stranger, data=server.data))
    await server.start()
    assert process_table.command_line(stranger) == "sleep 60"


async def test_a_postgres_that_somebody_else_started_on_the_data_is_left_alone(postgres: Make) -> None:
    server = postgres()
    await server.start()
    command = process_table.command_line(server.process.pid or 0).split()
    await server.stop()
    foreign = start_as(server.data.stat().st_uid, command)
    try:
        await wait_until((server.data / "postmaster.pid").exists)
        other_port = PostgresServer(
            name="one", data=server.data, port=free_port(), password=SecretStr(""), log=server.log
        )
        with pytest.raises(StackError, match=f"process {foreign.pid}"):
            await other_port.start()
        assert foreign.poll() is None
    finally:
        foreign.send_signal(signal.SIGINT)
        foreign.wait(20)


async def test_a_taken_port_is_named_with_its_setting_and_holder_before_anything_starts(
    postgres: Make,
) -> None:
    server = postgres(new=True)
    with socket.create_server(("127.0.0.1", server.port)), pytest.raises(StackError) as raised:
        await server.start()
    assert f"Port {server.port} of 127.0.0.1 is taken by process {os.getpid()} (" in str(raised.value)
    assert "databases.one.embedded.port" in str(raised.value)
    assert not server.data.exists()


async def test_data_of_another_version_is_refused(postgres: Make) -> None:
    server = postgres(new=True)
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text("16\n")
    with pytest.raises(StackError, match="made by Postgres 16, and this is Postgres 18"):
        await server.start()


async def test_a_folder_of_something_else_is_refused_and_kept(postgres: Make) -> None:
    server = postgres(new=True)
    server.data.mkdir()
    (server.data / "thesis.txt").write_text("years of work")
    with pytest.raises(StackError, match="isn't a Postgres data folder"):
        await server.start()
    assert (server.data / "thesis.txt").read_text() == "years of work"


async def test_another_password_than_the_datas_is_refused(postgres: Make) -> None:
    server = postgres()
    server.password = SecretStr("another")
    with pytest.raises(StackError, match="made with another password"):
        await server.start()


async def test_a_postgres_that_dies_at_its_start_shows_the_end_of_its_log(postgres: Make) -> None:
    server = postgres(settings={"shared_buffers": "plenty"})
    with pytest.raises(StackError, match=r"ended \(exit status 1\) before it was ready(.|\n)*shared_buffers"):
        await server.start()
    assert server.process.pid is None


async def test_a_second_start_is_refused_while_it_runs(postgres: Make) -> None:
    server = postgres()
    await server.start()
    pid = server.process.pid
    with pytest.raises(StackError, match="already running"):
        await server.start()
    assert server.process.pid == pid


async def test_the_folder_of_a_killed_set_up_is_not_used_as_data(postgres: Make, folder: Path) -> None:
    server = postgres(new=True)
    starter = start_as(os.geteuid(), [sys.executable, "-c", SET_UP, str(server.data), str(server.port)])
    half = folder / "one.new"
    await wait_until((half / "PG_VERSION").exists, what="the set-up has begun")
    starter.kill()
    await asyncio.to_thread(starter.wait)
    assert not server.data.exists()
    await server.start()
    await remember(server, 1)
    assert await remembered(server) == [1]
    assert names_in(folder, "one*") == ["one", "one.lock"]


async def test_it_is_durable_and_asks_everyone_for_the_password(postgres: Make) -> None:
    server = postgres(settings={})
    await server.start()
    connection = await asyncpg.connect(server.url)
    for setting, value in [("fsync", "on"), ("synchronous_commit", "on"), ("wal_level", "logical"),
                           ("data_checksums", "on"), ("server_encoding", "UTF8"), ("max_wal_size", "4GB"),
                           ("listen_addresses", "127.0.0.1"), ("unix_socket_directories", "")]:  # fmt: skip
        assert await connection.fetchval(f"show {setting}") == value
    assert not await connection.fetchval("select rolsuper from pg_roles where rolname = current_user")
    assert await connection.fetchval("select pg_has_role('pg_monitor', 'member')")
    await connection.close()
    for url in (server.url, server.superuser_url):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(url, password="wrong")
    assert server.password.get_secret_value() not in repr(server)


async def test_no_password_is_in_a_log_and_that_of_older_data_is_replaced(postgres: Make) -> None:
    loud = {"fsync": "off", "log_statement": "all", "log_min_duration_statement": "0"}
    older = postgres(settings=loud, password="shared-by-all", new=True)
    await older.start()
    await older.stop()
    server = postgres(
        settings=loud,
        password="of-the-nodes",
        superuser_password=SecretStr("of-the-superuser"),
        former_password=SecretStr("shared-by-all"),
    )
    for _ in range(2):
        await server.start()
        await remember(server, 1)
        for url in (
            server.superuser_url.replace("of-the-superuser", "shared-by-all"),
            server.superuser_url.replace("of-the-superuser", "of-the-nodes"),
            server.url.replace("of-the-nodes", "shared-by-all"),
        ):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(url)
        await server.stop()
    log = server.log.read_text()
    assert "alter role gameserver password 'SCRAM-SHA-256$" in log
    assert not [secret for secret in ("shared-by-all", "of-the-nodes", "of-the-superuser") if secret in log]


async def test_the_making_of_data_is_a_process_that_this_one_waits_for(
    postgres: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres(new=True)
    monkeypatch.setattr(server, "_making_command", lambda *_: ("/bin/sleep", "600"))
    starting = asyncio.create_task(server.start())
    await wait_until(lambda: starting.done() or bool(server.process.awaited_pids), what="its data is made")
    (pid,) = server.process.awaited_pids
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(StackError, match=r"The set-up of Postgres one failed \(signal SIGKILL\)"):
        await starting


FAULTS = [asyncpg.ConnectionDoesNotExistError("cut"), asyncpg.InterfaceError("closed"), asyncpg.DiskFullError("full")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault))
async def test_a_database_that_breaks_while_it_is_prepared_is_a_fault_of_this_server(
    postgres: Make, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(standbys, "drop_former", broken)
    server = postgres()
    with pytest.raises(StackError, match=f"Postgres one .*{fault}"):
        await server.start()
    assert server.process.pid is None


async def test_a_server_that_the_nodes_fill_starts_all_the_same(postgres: Make) -> None:
    """Nodes come back before its roles are looked at, and leave the superuser's connections alone."""
    server = postgres(settings={**FAST, "max_connections": "5"})
    await server.start()
    taken = [await asyncpg.connect(server.url) for _ in range(2)]
    with pytest.raises(asyncpg.TooManyConnectionsError):
        await asyncpg.connect(server.url)
    try:
        await server._provide()
    finally:
        for connection in taken:
            await connection.close()


async def test_data_that_cant_be_made_leaves_nothing_behind(
    postgres: Callable[..., PostgresServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As initdb, and a replica's base backup, when the disk is full."""
    server = postgres(new=True)
    fills = ("/bin/sh", "-c", 'echo much > "$0/half"; echo No space left >&2; exit 1', str(server.data) + ".new")
    monkeypatch.setattr(server, "_making_command", lambda *_: fills)
    with pytest.raises(StackError, match="No space left"):
        await server.start()
    assert [path.name for path in server.data.parent.iterdir() if path.is_dir()] == ["log"]
