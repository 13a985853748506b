"""Boards in an empty Redis, without nodes or databases."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from gameserver.storage.boards.standings import Boards
from gameserver.storage.boards.writer import BoardWriter
from gameserver.storage.redis import clients
from tests.support.servers import Servers


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    await servers.flush()
    client = clients.connect(servers.redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def boards(redis: Redis) -> Boards:
    return Boards(redis)


@pytest.fixture
def writer(redis: Redis) -> BoardWriter:
    return BoardWriter(redis)
