"""Databases know who they are: a wrong address changes nothing, and to correct it suffices."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from gameserver import app as application
from gameserver.config.deployment import ControlSettings, GroupSettings
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict, DatabaseUnavailable
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.admission import admit
from gameserver.storage.tables.groups import accounts, players
from gameserver.storage.tables.migrations import OutdatedDatabase
from tests.support.client import Api
from tests.support.deployment import connected, enlist, working
from tests.support.servers import NAMES, SLOTS, Servers, database_of

GROUPS = ("accounts", "control", "players")
TABLES = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
ROWS = (
    "select json_agg(o order by o.slot) from accounts_owned_slots o",
    "select json_agg(o order by o.slot) from players_owned_slots o",
)
FORGET = "do $$ begin delete from {group}_identity; exception when undefined_table then end $$"
WRONG = {
    "swapped": ({"one": "two", "two": "one"}, "one"),
    "the same twice": ({"two": "one"}, "one"),
    "another control database": ({}, "two"),
    "a new control database": ({"one": "three"}, "one"),
    "an empty database": ({"two": "three"}, "one"),
}
"""By what was done: where which name leads, and the name of the control database."""


@pytest.fixture
async def third(servers: Servers, settings: Settings) -> AsyncIterator[SecretStr]:
    """The address of an empty database."""
    name = await servers.bare()
    yield servers.settings(name).database_url("two")
    servers.drop(name)


def led(settings: Settings, urls: Mapping[str, SecretStr], control: str = "one") -> Settings:
    """The settings with other addresses."""
    databases = {name: DatabaseSettings(url=url, allow_unsafe=True) for name, url in urls.items()}
    return settings.model_copy(update={"databases": databases, "control": ControlSettings(database=control)})


def urls_of(settings: Settings) -> dict[str, SecretStr]:
    return {name: settings.database_url(name) for name in settings.databases}


def mistaken(settings: Settings, third: SecretStr, mistake: str) -> Settings:
    where, control = WRONG[mistake]
    urls = urls_of(settings)
    return led(settings, {name: {**urls, "three": third}[where.get(name, name)] for name in urls}, control)


async def state(urls: Mapping[str, SecretStr]) -> list[Any]:
    """What must not change: which tables there are, and who owns which slot."""
    told: list[Any] = []
    for url in urls.values():
        async with connected(url) as connection:
            names = [row["relname"] for row in await connection.fetch(TABLES)]
            told += [names, *([await connection.fetchval(rows) for rows in ROWS] if names else [])]
    return told


async def forget(urls: Mapping[str, SecretStr], *groups: str) -> None:
    """The databases are as those of an earlier version, which didn't say who they are."""
    for url in urls.values():
        async with connected(url) as connection:
            for group in groups:
                await connection.execute(FORGET.format(group=group))


async def identities(urls: Mapping[str, SecretStr]) -> dict[str, set[tuple[str, str]]]:
    said = {}
    for name, url in urls.items():
        async with connected(url) as connection:
            groups = GROUPS if name == "one" else ("accounts", "players")
            rows = [await connection.fetchrow(f"select deployment, name from {group}_identity") for group in groups]
            said[name] = {tuple(row) for row in rows if row is not None}
    return said


@pytest.mark.parametrize("knows", [True, False], ids=["known", "of an earlier version"])
@pytest.mark.parametrize("mistake", WRONG)
async def test_migrate_refuses_a_wrong_address_and_changes_nothing(
    settings: Settings, third: SecretStr, mistake: str, knows: bool
) -> None:
    urls = urls_of(settings)
    if not knows:
        await forget(urls, *GROUPS)
    before = await state({**urls, "three": third})
    with pytest.raises(OutdatedDatabase, match="correct"):
        await provision.migrate(mistaken(settings, third, mistake))
    assert await state({**urls, "three": third}) == before
    done = await provision.migrate(settings)
    assert not done.changes
    async with working(settings) as right:
        for name in NAMES:
            await enlist(right, database=name)
    said = await identities(urls)
    (deployment,) = {identity for rows in said.values() for identity, _ in rows}
    assert said == {name: {(deployment, name)} for name in NAMES}


@pytest.mark.parametrize("mistake", ["swapped", "the same twice"])
async def test_a_node_doesnt_start_with_a_wrong_address_and_says_which(
    settings: Settings, third: SecretStr, mistake: str
) -> None:
    wrong = mistaken(settings, third, mistake)
    with pytest.raises(OutdatedDatabase, match="at the address of the database two is one") as raised:
        async with application.open_core(wrong):
            pass
    assert "gameserver migrate" not in str(raised.value)


async def reconcile(settings: Settings) -> None:
    """As a node does after any failover; fails if a database is taken for absent."""
    databases = provision.open_databases(settings, patient=True)
    try:
        done = await provision.reconciler_of(settings, databases).insist(force=True)
    finally:
        await databases.close()
    assert done is not None
    assert done.absent == {}


@pytest.mark.parametrize("knows", [True, False], ids=["known", "of an earlier version"])
async def test_two_databases_that_have_only_players_arent_taken_for_each_other(
    servers: Servers, third: SecretStr, knows: bool
) -> None:
    name, group = await servers.bare(), GroupSettings(databases=("two", "three"), slots=SLOTS)
    settings = servers.settings(name)
    settings = settings.model_copy(update={"groups": {"accounts": group, "players": group}})
    urls = {**urls_of(settings), "three": third}
    right, wrong = led(settings, urls), led(settings, {**urls, "two": third, "three": urls["two"]})
    await provision.migrate(right)
    played = {"two": urls["two"], "three": third}
    before = await state(played)
    if knows:
        with pytest.raises(AssertionError, match="at the address of"):
            await reconcile(wrong)
        assert await state(played) == before
    else:
        await forget(urls, *GROUPS)
    with pytest.raises(OutdatedDatabase, match="at the address of"):
        await provision.migrate(wrong)
    assert await state(played) == before
    async with working(right) as core:
        await enlist(core, database="two")
    servers.drop(name)


@pytest.fixture
async def other(servers: Servers) -> AsyncIterator[Settings]:
    """Another deployment, whose databases have the same names."""
    settings = servers.settings(await servers.bare())
    await provision.migrate(settings)
    yield settings
    servers.drop(database_of(settings.database_url("one")))


async def test_a_database_of_another_deployment_isnt_used_although_it_has_the_same_name(
    settings: Settings, other: Settings
) -> None:
    wrong = led(settings, {"one": settings.database_url("one"), "two": other.database_url("two")})
    with pytest.raises(OutdatedDatabase, match="one of another deployment"):
        await provision.migrate(wrong)
    async with application.open_core(wrong) as core:
        with pytest.raises(DatabaseUnavailable):
            await core.databases["two"].ask("select 1")
        assert "one of another deployment" in str(core.databases["two"].problem)


async def test_a_control_database_that_went_back_to_an_earlier_version_learns_who_it_is(settings: Settings) -> None:
    urls = urls_of(settings)
    before = await identities(urls)
    await forget({"one": urls["one"]}, *GROUPS)
    await provision.migrate(settings)
    assert await identities(urls) == before


@pytest.mark.parametrize("where", ["one", "another deployment"])
async def test_no_database_is_added_that_owns_slots_under_another_name(
    settings: Settings, other: Settings, where: str
) -> None:
    url = settings.database_url("one") if where == "one" else other.database_url("two")
    before = await state(urls_of(other))
    adding = led(settings, {**urls_of(settings), "more": url})
    with pytest.raises(Conflict, match="same database" if where == "one" else "is two of another deployment"):
        await admit(adding, "more", None, ["players"])
    assert await state(urls_of(other)) == before


SLOTLESS = "update accounts_owned_slots set owned = false; update players_owned_slots set owned = false"


@pytest.mark.parametrize("was", ["a member", "a deployment"])
async def test_a_database_that_owns_nothing_any_more_is_added_under_another_name(
    settings: Settings, third: SecretStr, was: str
) -> None:
    adding = led(settings, {**urls_of(settings), "more": third})
    if was == "a member":
        await admit(adding, "more", None, ["accounts", "players"])
        async with connected(settings.database_url("one")) as connection:
            await connection.execute("delete from members where database = 'more'")
    else:
        alone = GroupSettings(databases=("more",), slots=SLOTS)
        former = led(settings, {"more": third}, "more")
        await provision.migrate(former.model_copy(update={"groups": {"accounts": alone, "players": alone}}))
        async with connected(third) as connection:
            await connection.execute(SLOTLESS)
    adding = led(settings, {**urls_of(settings), "other": third})
    await admit(adding, "other", None, ["players"])
    assert not (await provision.migrate(adding)).changes
    await reconcile(adding)
    async with connected(third) as connection:
        assert await connection.fetchval("select name from players_identity") == "other"


@pytest.mark.parametrize("way", ["databases add", "migrate"])
@pytest.mark.parametrize("spare", ["a removed member", "one of another deployment", "one that doesn't know who it is"])
async def test_a_database_without_slots_doesnt_take_the_place_of_one_that_has_some(
    settings: Settings, third: SecretStr, spare: str, way: str
) -> None:
    await admit(led(settings, {**urls_of(settings), "more": third}), "more", None, ["accounts", "players"])
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("delete from members where database = 'more'")
    if spare == "one of another deployment":
        async with connected(third) as connection:
            for group in ("accounts", "players"):
                await connection.execute(f"update {group}_identity set deployment = 'another', name = 'two'")
    elif spare == "one that doesn't know who it is":
        await forget({"more": third}, "accounts", "players")
    wrong, before = led(settings, {**urls_of(settings), "two": third}), await state({"more": third})
    with pytest.raises((Conflict, OutdatedDatabase), match="correct"):
        await (provision.migrate(wrong) if way == "migrate" else admit(wrong, "two", None, ["players"]))
    assert await state({"more": third}) == before


async def copied(servers: Servers, database: str) -> str:
    """A copy of a database on every instance; whoever was connected to it is waited for."""
    await servers.administration.everywhere(f"create database {database}_copy template {database}")
    return f"{database}_copy"


@pytest.mark.parametrize("way", ["renamed", "moved", "parted from its groups"])
async def test_a_control_database_goes_on_under_another_name_and_at_another_address(servers: Servers, way: str) -> None:
    with_groups = way == "parted from its groups"
    name, group = await servers.bare(), GroupSettings(databases=NAMES if with_groups else ("two",), slots=SLOTS)
    settings = servers.settings(name).model_copy(update={"groups": {"accounts": group, "players": group}})
    await provision.migrate(settings)
    copy = name if way == "renamed" else await copied(servers, name)
    urls, control = urls_of(settings), servers.settings(copy).database_url("one")
    if with_groups:
        async with connected(control) as connection:
            versions = ("alembic_version_accounts", "alembic_version_players")
            for table in (*accounts.tables, *players.tables, *versions):
                await connection.execute(f"drop table if exists {table} cascade")
    stay = {each: urls[each] for each in group.databases}
    changed = led(settings, {"control": control, **stay}, "control")
    for again in (False, True):
        async with working(changed) as core:
            await enlist(core)
        await reconcile(changed)
        assert not (await provision.migrate(changed)).changes, again
    async with connected(control) as connection:
        assert await connection.fetchval("select name from control_identity") == "control"
    if way == "moved":
        with pytest.raises(OutdatedDatabase, match="at the address of the database two is one"):
            await provision.migrate(led(settings, {"control": control, "two": urls["one"]}, "control"))
    for database in {name, copy}:
        servers.drop(database)


async def test_two_names_of_one_database_are_parted_by_a_copy(servers: Servers) -> None:
    name = await servers.bare()
    group = GroupSettings(databases=("two",), slots=SLOTS)
    settings = servers.settings(name).model_copy(update={"groups": {"accounts": group, "players": group}})
    urls = urls_of(settings)
    await provision.migrate(settings)
    async with working(settings) as core:
        player = await enlist(core)
    async with connected(urls["one"]) as connection:
        for table in ("slots", "members"):
            await connection.execute(f"""update {table} set database = 'three' where "group" = 'players'""")
    await forget(urls, *GROUPS)
    groups = {"accounts": group, "players": GroupSettings(databases=("three",), slots=SLOTS)}
    shared = led(settings, {**urls, "three": urls["two"]}).model_copy(update={"groups": groups})
    with pytest.raises(OutdatedDatabase, match="lead to the same database"):
        await provision.migrate(shared)
    copy = await copied(servers, name)
    parted = led(shared, {**urls, "three": servers.settings(copy).database_url("two")})
    await provision.migrate(parted)
    await reconcile(parted)
    async with working(parted) as core:
        await enlist(core)
        assert await core.rooms.players.find(player.id) is not None
    for database in (name, copy):
        servers.drop(database)


async def test_a_database_that_was_removed_is_used_by_a_new_deployment_as_migrate_says(
    settings: Settings, third: SecretStr
) -> None:
    fresh = led(settings, {"one": third, "two": settings.database_url("two")})
    with pytest.raises(OutdatedDatabase) as raised:
        await provision.migrate(fresh)
    assert "[groups]" not in str(raised.value), "it owns slots"
    async with connected(settings.database_url("two")) as connection:
        for group in fresh.groups:
            await connection.execute(f"update {group}_owned_slots set owned = false")
    remedy = r"two owns no slot: if it was removed there, take it out of \[groups\], .* databases add two"
    with pytest.raises(OutdatedDatabase, match=remedy):
        await provision.migrate(fresh)
    groups = {name: group.model_copy(update={"databases": ["one"]}) for name, group in fresh.groups.items()}
    without = fresh.model_copy(update={"groups": groups})
    await provision.migrate(without)
    await admit(without, "two", None, ["players"])
    known = await identities(urls_of(fresh))
    assert known["two"] >= {(deployment, "two") for deployment, _ in known["one"]}


async def test_a_node_says_to_whom_asks_of_which_deployment_it_is(settings: Settings, api: Api) -> None:
    async with connected(settings.database_url("one")) as connection:
        deployment = await connection.fetchval("select deployment from control_identity")
    assert (await api.ask("GET", "/ready?deployment=show")).body == {"ready": True, "deployment": deployment}
    assert (await api.ask("GET", "/ready")).body == {"ready": True}
