"""Valkey as a child: what was written is there after every kind of end."""

import os
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
from gameserver.stack.servers.redis import RedisServer
from gameserver.stack.servers.sentinel import SentinelPlaces, SentinelServer
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
    places = SentinelPlaces("main", [port], SecretStr(PASSWORD))
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
