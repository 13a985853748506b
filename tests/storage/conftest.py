"""A second node's storage, and property tests that talk to servers."""

from collections.abc import AsyncIterator

import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from tests.support.deployment import working


@pytest.fixture
async def second(core: Core, settings: Settings) -> AsyncIterator[Core]:
    """Another node's storage, over the same servers as `core`."""
    async with working(settings) as opened:
        yield opened
