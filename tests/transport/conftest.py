"""A player at each of the two doors."""

import pytest

from tests.support.client import Api
from tests.transport.doors import Door


@pytest.fixture(params=["http", "socket"])
async def door(request: pytest.FixtureRequest, api: Api) -> Door:
    return Door(request.param, api, await api.sign_up())
