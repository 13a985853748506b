"""What the driver is told of Postgres' arrays is what its server would have said, so it doesn't ask."""

from typing import Any

import asyncpg
import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.storage.postgres.array_types import ARRAYS
from tests.support.deployment import act, enlist, working

SAID = (
    "select oid::int, typelem::int from pg_type where typname = '_' || $1 and typnamespace = 'pg_catalog'::regnamespace"
)


async def test_the_numbers_are_those_of_postgres(core: Core) -> None:
    for name, numbers in ARRAYS.items():
        assert await core.databases["one"].ask(SAID, name) == [numbers]


async def test_no_connection_of_a_node_asks_about_a_type(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ask, asked = asyncpg.Connection._introspect_types, []

    async def heard(connection: asyncpg.Connection, types: Any, timeout: float | None) -> Any:
        asked.append(sorted(types))
        return await ask(connection, types, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", heard)
    async with working(settings) as core:
        player = await enlist(core)
        await act(core, player.id)
    assert asked == []
