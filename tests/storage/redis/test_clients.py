"""Clients of Redis: every failure of a connection is a RedisError."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import RedisError

from gameserver.storage.redis import clients
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
