"""What a node works out when it starts."""

import asyncpg
import pytest

from gameserver.app import open_core
from gameserver.app.bounds import reserved_names_of
from gameserver.config.settings import Settings
from gameserver.rules.reserved_names import ReservedNames
from gameserver.storage.sharding import provision
from tests.support.deployment import connected
from tests.support.wait import wait_until


async def test_what_no_player_can_be_called_is_worked_out_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ReservedNames] = []

    def note(of: Settings) -> ReservedNames:
        made.append(reserved_names_of(of))
        return made[-1]

    monkeypatch.setattr("gameserver.app.core.reserved_names_of", note)
    async with open_core(settings) as core:
        assert len(made) == 1
        assert core.commands.accounts.policy.reserved is made[0]


async def sessions(asking: asyncpg.Connection) -> list[int]:
    """The processes of a database's server that the product's connections to it lead to."""
    rows = await asking.fetch(
        "select pid from pg_stat_activity where datname = current_database() and application_name = 'gameserver'"
    )
    return [row["pid"] for row in rows]


@pytest.mark.parametrize("is_cut", [False, True], ids=["kept", "cut"])
async def test_what_has_judged_a_database_is_the_first_connection_of_its_pool(settings: Settings, is_cut: bool) -> None:
    databases = provision.open_databases(settings)
    async with connected(settings.database_url("two")) as asking:
        await provision.require_ready(settings, databases)
        (judge,) = await sessions(asking)
        if is_cut:
            await asking.fetchval("select pg_terminate_backend($1, 5000)", judge)
            await wait_until(databases["two"]._spare.is_closed, what="the node has heard of it")  # type: ignore[union-attr]
        (row,) = await databases["two"].ask("select pg_backend_pid()")
        assert (row[0] == judge) is not is_cut
        assert await sessions(asking) == [row[0]]
    await databases.close()
