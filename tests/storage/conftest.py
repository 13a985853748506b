"""A second node's storage, and property tests that talk to servers."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from gameserver.app import Core
from gameserver.config import Settings
from tests.storage.deployment import working

hypothesis_settings.register_profile(
    "servers", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
hypothesis_settings.load_profile("servers")


@pytest.fixture
async def second(core: Core, settings: Settings) -> AsyncIterator[Core]:
    """Another node's storage, over the same servers as `core`."""
    async with working(settings) as opened:
        yield opened
