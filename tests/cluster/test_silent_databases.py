"""A node that starts while a database is silent serves everybody else, and this database's players once it answers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from gameserver.app import open_core
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.stack.processes.ports import free_port
from gameserver.storage.ids import slot_of
from gameserver.storage.tables import migrations
from gameserver.storage.tables.migrations import OutdatedDatabase
from tests.support.client import Api, Signed
from tests.support.deployment import connected
from tests.support.nodes import start_node
from tests.support.wait import wait_until
from tests.support.wires import Wire, wire_to


class Restarted(NamedTuple):
    """A node that started while `two` was silent, a player on each database, and the way to `two`."""

    api: Api
    here: Signed
    silent: Signed
    wire: Wire


def behind(settings: Settings, wire: Wire) -> Settings:
    """Another node's settings: its way to the database `two` is the wire."""
    two = DatabaseSettings(url=SecretStr(wire.url), allow_unsafe=True)
    node = settings.node.model_copy(update={"port": free_port()})
    return settings.model_copy(update={"databases": {**settings.databases, "two": two}, "node": node})


@pytest.fixture
async def wire(settings: Settings) -> AsyncIterator[Wire]:
    async with wire_to(settings.database_url("two").get_secret_value()) as silent:
        yield silent


@pytest.fixture
async def restarted(settings: Settings, wire: Wire) -> AsyncIterator[Restarted]:
    async with AsyncExitStack() as stack:
        before = await start_node(stack, settings)
        players: dict[str, Signed] = {}
        async with Api(before.url) as api:
            while len(players) < 2:
                signed = await api.sign_up()
                players[before.core.slots.owner("players", slot_of(int(signed.id))).name] = signed
        after = await start_node(stack, behind(settings, wire))
        client = await stack.enter_async_context(Api(after.url))
        yield Restarted(client, players["one"], players["two"], wire)


async def sign_in(api: Api, player: Signed) -> int:
    return (await api.ask("POST", "/v1/sessions", body={"device": player.device})).status


async def test_a_node_starts_beside_a_silent_database_and_serves_the_players_of_the_others(
    restarted: Restarted,
) -> None:
    api, here, silent, wire = restarted
    assert (await api.ask("GET", "/ready")).status == 200
    assert (await api.act(here)).status == 200
    assert (await api.ask("GET", "/v1/players/me", token=here.token)).status == 200
    denied = await api.act(silent)
    assert (denied.status, denied.code) == (503, "database_unavailable")
    wire.open()

    async def acts() -> bool:
        return (await api.act(silent)).status == 200

    await wait_until(acts, 15, "players of the database that answers again are served")
    assert await sign_in(api, silent) == 201


async def test_a_database_that_answers_later_with_another_version_is_refused_beside_service(
    settings: Settings, restarted: Restarted
) -> None:
    api, here, silent, wire = restarted
    async with connected(settings.database_url("two")) as connection:
        await connection.execute("update alembic_version_players set version_num = 'players_0000'")
        wire.open()
        for _ in range(3):
            assert (await api.act(silent)).code == "database_unavailable"
        assert (await api.act(here)).status == 200
        await connection.execute("update alembic_version_players set version_num = $1", migrations.head("players"))

    async def acts() -> bool:
        return (await api.act(silent)).status == 200

    await wait_until(acts, 15, "the database is used once its tables are right")


async def test_a_node_needs_the_control_database(settings: Settings) -> None:
    async with wire_to(settings.database_url("one").get_secret_value()) as control:
        one = DatabaseSettings(url=SecretStr(control.url), allow_unsafe=True)
        without = settings.model_copy(update={"databases": {**settings.databases, "one": one}})
        with pytest.raises(DatabaseUnavailable, match="one"):
            async with open_core(without):
                pass


async def test_a_node_refuses_a_database_that_loses_what_it_acknowledged(settings: Settings) -> None:
    two = DatabaseSettings(url=settings.database_url("two"))
    careful = settings.model_copy(update={"databases": {**settings.databases, "two": two}})
    with pytest.raises(OutdatedDatabase, match=r"database two: fsync is off.* allow_unsafe = true") as refused:
        async with open_core(careful):
            pass
    assert "database one" not in str(refused.value)
