"""Boards in an empty Redis, without nodes or databases."""

import pytest
from redis.asyncio import Redis

from gameserver.storage.boards.standings import Boards
from gameserver.storage.boards.writer import BoardWriter


@pytest.fixture
def boards(redis: Redis) -> Boards:
    return Boards(redis)


@pytest.fixture
def writer(redis: Redis) -> BoardWriter:
    return BoardWriter(redis)
