"""A second node's storage, and an empty Redis without nodes or databases."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.storage.redis import clients
from tests.support.deployment import working
from tests.support.servers import Servers


@pytest.fixture
async def second(core: Core, settings: Settings) -> AsyncIterator[Core]:
    """Another node's storage, over the same servers as `core`."""
    async with working(settings) as opened:
        yield opened


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    """A client of the servers' Redis, which is emptied first."""
    await servers.flush()
    client = clients.connect(servers.redis_url)
    yield client
    await client.aclose()
