"""Clients of Redis: every failure of a connection is a RedisError."""

import asyncio
import contextlib
from typing import Any

import pytest
from redis.exceptions import RedisError

from gameserver.storage.redis import clients
from gameserver.storage.redis.lean_connection import LeanConnection
from tests.support.servers import Servers


async def test_a_write_to_a_transport_that_has_just_closed_is_a_redis_error(servers: Servers) -> None:
    client = clients.connect(servers.redis_url)
    await client.ping()
    pool: Any = client.connection_pool
    connection = await pool.get_connection()
    transport = connection._writer.transport
    transport.abort()
    await asyncio.sleep(0)  # the handle of the loop is closed in its next turn
    with pytest.raises(RedisError):
        await connection.send_command("PING", check_health=False)
    assert not connection.is_connected
    await pool.release(connection)
    assert await client.ping()
    await client.aclose()


async def test_a_call_that_is_cancelled_ends_wherever_it_waits(servers: Servers) -> None:
    client = clients.connect(servers.redis_url)

    async def call() -> None:
        await client.ping()
        await clients.send_all(client, [("PING",), ("PING",)])

    for steps in range(200):
        if steps % 20 == 0:
            await client.connection_pool.disconnect()
        task = asyncio.ensure_future(call())
        for _ in range(steps % 20):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert await client.ping()
    await client.aclose()


async def test_a_write_that_nobody_reads_fails_in_time_and_leaves_nothing_to_be_sent() -> None:
    reading, sent = asyncio.Event(), 0
    received: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def read_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reading.wait()
        count = 0
        with contextlib.suppress(ConnectionResetError):
            while part := await reader.read(1_000_000):
                count += len(part)
        received.set_result(count)
        writer.transport.abort()

    async def write() -> None:
        nonlocal sent
        while True:
            sent += 1_000_000
            await connection.send_packed_command(b"x" * 1_000_000, check_health=False)

    server = await asyncio.start_server(read_late, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection: Any = LeanConnection(host="127.0.0.1", port=port, protocol=2, driver_info=None, socket_timeout=0.2)
    await connection.connect()
    with pytest.raises(RedisError):
        await write()
    assert not connection.is_connected
    reading.set()
    async with asyncio.timeout(10):
        assert await received < sent
    server.close()
    await server.wait_closed()
