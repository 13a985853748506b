"""Valkey as a child: what was written is there after every kind of end."""

import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis as Client
from redis.exceptions import AuthenticationError

from gameserver.stack.errors import StackError
from gameserver.stack.processes import process_table
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers import binaries
from gameserver.stack.servers.redis import RedisServer
from gameserver.stack.servers.sentinel import FILE, SentinelPlaces, SentinelServer, WatchedRedis
from gameserver.storage.operators import redis_condition
from tests.stack.conftest import PASSWORD
from tests.support.wait import wait_until


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Client]:
    client = Client.from_url(url, decode_responses=True)
    try:
        yield client
    finally:
        await client.aclose()


async def test_what_was_set_is_there_after_a_stop_and_after_a_kill(valkey: RedisServer) -> None:
    await valkey.start()
    async with client_of(valkey.url) as client:
        await client.set("stopped", "1")
    await valkey.stop()
    assert valkey.process.status == 0
    await valkey.start()
    async with client_of(valkey.url) as client:
        await client.set("killed", "2")
    valkey.kill()
    await valkey.start()
    async with client_of(valkey.url) as client:
        assert await client.mget("stopped", "killed") == ["1", "2"]


async def test_a_last_write_that_was_cut_off_is_dropped_and_the_rest_kept(valkey: RedisServer) -> None:
    await valkey.start()
    async with client_of(valkey.url) as client:
        await client.set("whole", "1")
    valkey.kill()
    (log,) = (valkey.data / "appendonlydir").glob("*.incr.aof")
    with log.open("ab") as end:
        end.write(b"*3\r\n$3\r\nSET\r\n$4\r\nha")
    await valkey.start()
    async with client_of(valkey.url) as client:
        assert await client.keys() == ["whole"]


async def test_a_taken_port_is_named_with_its_setting_and_holder(valkey: RedisServer) -> None:
    fault = f"Port {valkey.port} .* process {os.getpid()} .*redis.embedded.port"
    with socket.create_server(("127.0.0.1", valkey.port)), pytest.raises(StackError, match=fault):
        await valkey.start()


async def test_a_valkey_that_dies_at_its_start_shows_the_end_of_its_log(valkey: RedisServer) -> None:
    (valkey.data / "appendonlydir").mkdir(parents=True)
    (valkey.data / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(StackError, match=r"before it was ready(.|\n)*manifest"):
        await valkey.start()


async def test_a_client_without_the_password_is_refused_and_no_command_line_shows_it(valkey: RedisServer) -> None:
    await valkey.start()
    async with client_of(f"redis://127.0.0.1:{valkey.port}/0") as client:
        with pytest.raises(AuthenticationError):
            await client.get("anything")
    assert valkey.password.get_secret_value() not in process_table.command_line(valkey.process.pid or 0)
    assert valkey.password.get_secret_value() not in repr(valkey)


@pytest.mark.parametrize("left", ["", "port 26379\nsentinel myid 73e8524fb8eaca86ad2ee93160642a4a3d3aca7f\n"])
async def test_a_sentinel_whose_first_start_was_cut_off_starts_with_its_password_and_master(
    folder: Path, left: str
) -> None:
    """An empty file, and what a Sentinel has made of it."""
    port, master = free_port(), free_port()
    places = SentinelPlaces("main", [port], SecretStr(PASSWORD), [folder / "sentinel-1" / FILE])
    sentinel = SentinelServer(
        name="sentinel-1",
        data=folder / "sentinel-1",
        port=port,
        first_master=master,
        master_password=SecretStr(PASSWORD),
        sentinels=places,
        log=folder / "log" / "sentinel.log",
    )
    sentinel.data.mkdir()
    (sentinel.data / "sentinel.conf").write_text(left)
    await sentinel.start()
    try:
        assert await places.master_port() == master
    finally:
        await sentinel.stop()
    assert sorted(path.name for path in sentinel.data.iterdir()) == ["sentinel.conf"]


async def test_a_death_is_noticed_with_its_signal(valkey: RedisServer) -> None:
    await valkey.start()
    os.kill(valkey.process.pid or 0, signal.SIGKILL)
    await wait_until(lambda: valkey.process.pid is None)
    assert valkey.process.status_text == "signal SIGKILL"


async def test_a_server_that_starts_before_the_sentinels_agree_follows_whom_they_wrote_down(folder: Path) -> None:
    port, leader, word = free_port(), free_port(), SecretStr("a-word")
    files = [folder / f"sentinel-{number}" / FILE for number in (1, 2, 3)]
    places = SentinelPlaces("game", [free_port() for _ in files], word, files)
    assert places.written_port() is None
    for file, written, epoch in ((files[1], port, 2), (files[2], free_port(), 0)):
        file.parent.mkdir()
        file.write_text(
            f"port 1\nsentinel monitor game 127.0.0.1 {written} 2\nsentinel config-epoch game {epoch}\n", "utf-8"
        )
    assert places.written_port() == port
    # A real one, whose election was the last.
    sentinel = SentinelServer(
        name="sentinel-1", data=files[0].parent, port=places.ports[0], first_master=leader, master_password=word,
        sentinels=places, log=folder / "sentinel.log",
    )  # fmt: skip
    await sentinel.start()
    sentinel.kill()
    kept = files[0].read_text("utf-8")
    files[0].write_text(f"{re.sub('sentinel config-epoch .*', '', kept)}\nsentinel config-epoch game 3\n", "utf-8")
    server = WatchedRedis(
        name="redis-1", data=folder / "redis-1", port=port, password=word, first_master=port, sentinels=places,
        log=folder / "redis.log",
    )  # fmt: skip
    await server.start()
    try:
        async with client_of(server.url) as client:
            told = await client.info("replication")
            assert (told["role"], told["master_port"]) == ("slave", leader)
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("says", "fault"),
    [
        (
            "Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=0",
            f"is Redis 6.2.14; Redis {redis_condition.OLDEST} or later",
        ),
        ("something else", "doesn't say its version"),
    ],
)
async def test_a_program_that_is_too_old_is_refused_before_it_is_started(
    valkey: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, fault: str
) -> None:
    program = tmp_path / "redis-server"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(binaries, "_wheel", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=fault):
        await valkey.check()
