"""What is acknowledged is on disk, whatever the server, the database or the role have `synchronous_commit` set to."""

import itertools

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.storage.postgres import durability
from gameserver.storage.tables.migrations import OutdatedDatabase
from tests.support.client import ADMIN_KEY, Api, command_id
from tests.support.deployment import connected, working
from tests.support.nodes import InProcessNode
from tests.support.servers import NAMES, Servers, database_of

DEFERRED = "synchronous_commit = off"
REFUSE_DEFERRED = """
create function refuse_deferred() returns trigger language plpgsql as $$
begin
    if current_setting('synchronous_commit') <> 'on' then
        raise exception 'a deferred write to %', tg_table_name;
    end if;
    return null;
end $$;
do $$
declare of regclass;
begin
    for of in select c.oid from pg_class c
              where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition loop
        execute format('create trigger refuse_deferred after insert or update or delete on %s
                        for each statement execute function refuse_deferred()', of);
    end loop;
end $$
"""


@pytest.fixture
async def deferring(servers: Servers, settings: Settings) -> Settings:
    """The role and the databases defer commits, and a trigger on every table refuses a write that would be deferred."""
    for name in NAMES:
        url = settings.database_url(name)
        database = database_of(url)
        async with connected(SecretStr(servers.postgres[name].superuser_url)) as superuser:
            await superuser.execute(f"alter database {database} set {DEFERRED}")
            await superuser.execute(f"alter role gameserver in database {database} set {DEFERRED}")
        async with connected(url) as connection:
            await connection.execute(REFUSE_DEFERRED)
    return settings


async def test_every_write_of_the_product_waits_for_the_disk(deferring: Settings, node: InProcessNode) -> None:
    async with connected(deferring.database_url("one")) as connection:
        with pytest.raises(asyncpg.RaiseError, match="a deferred write"):
            await connection.execute("update players set hp = hp")
    async with Api(node.url) as api:
        players = [await api.sign_up(password="A password 1") for _ in range(8)]
        for player, other in itertools.pairwise(players):
            assert (await api.act(player)).status == 200
            assert (await api.act(player, "duel", player=other.id)).status in (200, 409)
            named = await api.ask(
                "POST", "/v1/players/me/name", token=player.token, body={"name": f"New {player.name}"}
            )
            assert named.status == 200, named.body
            friend = await api.ask("PUT", f"/v1/players/me/friends/{other.id}", token=player.token)
            assert friend.status < 300, friend.body
        ban = {"reason": "a test"}
        banned = await api.ask(
            "POST", f"/admin/v1/players/{players[0].id}/ban", token=ADMIN_KEY, body=ban, key=command_id()
        )
        assert banned.status < 300, banned.body
        assert (await api.ask("DELETE", "/v1/players/me", token=players[1].token)).status == 204


async def test_what_is_off_is_named_with_where(deferring: Settings) -> None:
    async with connected(deferring.database_url("one")) as connection:
        held = await durability.read(connection)
    assert held.off == ["fsync", "synchronous_commit"]
    assert sorted(held.overridden) == ["the database", "the role in this database"]
    assert "fsync and synchronous_commit are off" in (held.fault("one") or "")
    assert durability.Durability([], ["the role"]).fault("one") is None


async def test_a_database_whose_commits_wait_for_no_standby_is_refused_where_that_is_wanted(settings: Settings) -> None:
    wanted = DatabaseSettings(url=settings.database_url("two"), allow_unsafe=True, synchronous=True)
    with pytest.raises(OutdatedDatabase, match="its commits wait for no standby"):
        async with working(settings.model_copy(update={"databases": {**settings.databases, "two": wanted}})):
            pass
    assert durability.Durability([], [], waits=True).lonely("two") is None
