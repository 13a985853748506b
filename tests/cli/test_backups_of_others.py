"""Backups are of all databases that are recorded, and of none that lies at a wrong address."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from gameserver.app import backups
from gameserver.config.backups import BackupSettings
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.stack.backups import making
from gameserver.stack.backups.making import BackedUp
from gameserver.stack.backups.receiver import WalReceiver
from gameserver.stack.errors import StackError
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.standbys import ARCHIVE_SLOT
from gameserver.waiting import cancel_and_wait
from tests.cli.test_backups import DROP
from tests.stack.conftest import open_folder, roomy
from tests.support.deployment import connected
from tests.support.servers import database_of
from tests.support.wait import wait_until
from tests.support.wires import wire_to

EARLIER = "update alembic_version_control set version_num = 'control_0001'"
UNCOMPARED = "update control_lineage set timeline = timeline + 1"
ELSEWHERE = "at the address of the database one is two"


@pytest.fixture
def backed(settings: Settings) -> Iterator[Settings]:
    with open_folder(roomy()) as room:
        yield settings.model_copy(update={"backups": BackupSettings(folder=room)})


@pytest.fixture
async def joined(settings: Settings) -> AsyncIterator[None]:
    """A database that the settings don't name is a member of a group."""
    async with connected(settings.database_url("one")) as control:
        await control.execute("insert into databases (name, url) values ('three', 'postgresql://role@three.example/x')")
        await control.execute("insert into members values ('players', 'three', false)")
        yield


def at(settings: Settings, **urls: SecretStr) -> Settings:
    """The settings with other addresses."""
    databases = {name: DatabaseSettings(url=url, allow_unsafe=True) for name, url in urls.items()}
    return settings.model_copy(update={"databases": {**settings.databases, **databases}})


@pytest.mark.parametrize("state", [EARLIER, UNCOMPARED], ids=["of an earlier version", "failed over"])
@pytest.mark.usefixtures("joined")
async def test_databases_that_joined_count_whatever_the_control_database_waits_for(
    backed: Settings, state: str
) -> None:
    async with connected(backed.database_url("one")) as control:
        await control.execute(state)
    assert [database.name for database in await backups.named(backed, [])] == ["one", "two", "three"]


@pytest.mark.usefixtures("joined")
async def test_without_an_answer_of_the_control_database_the_settings_count(backed: Settings) -> None:
    away = SecretStr(f"postgresql://gameserver@127.0.0.1:{free_port()}/none")
    assert [database.name for database in await backups.named(at(backed, one=away), [])] == ["one", "two"]


async def test_another_database_in_the_place_of_the_control_database_is_refused(backed: Settings) -> None:
    one, two = (backed.database_url(name) for name in ("one", "two"))
    swapped = at(backed, one=two, two=one)
    said: list[str] = []
    with pytest.raises(StackError, match=ELSEWHERE):
        await backups.back_up(swapped, [], said.append)
    with pytest.raises(StackError, match=ELSEWHERE):
        await backups.follow(swapped)
    assert backed.backup_folder is not None
    assert list(backed.backup_folder.iterdir()) == []


async def test_a_control_database_that_refuses_is_no_silent_one(backed: Settings) -> None:
    url = backed.database_url("one")
    gone = SecretStr(url.get_secret_value().replace(f"/{database_of(url)}", "/gone"))
    with pytest.raises(DatabaseUnavailable) as refused:
        await backups.named(at(backed, one=gone), [])
    assert any("has no database of this name" in note for note in refused.value.__notes__)
    # A restore may be what mends it.
    (two,) = await backups.named(at(backed, one=gone), ["two"], anyhow=True)
    assert two.name == "two"


async def test_databases_that_join_and_that_move_are_followed_where_they_are(
    backed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "ASK_SECONDS", 0.05)
    with capture_logs() as lines:

        def said(of_three: str) -> bool:
            return any("the log of three" in line["event"] and of_three in line["event"] for line in lines)

        following = asyncio.create_task(backups.follow(backed))
        try:
            async with connected(backed.database_url("one")) as control:
                away, there = f"postgresql://role@127.0.0.1:{free_port()}/x", backed.database_url("two")
                await control.execute("insert into databases (name, url) values ('three', $1)", away)
                await control.execute("insert into members values ('players', 'three', false)")
                await wait_until(lambda: said("Connection refused"), 20, "it is followed")
                move = "update databases set url = $1 where name = 'three'"
                await control.execute(move, there.get_secret_value())
                await wait_until(lambda: said("at the address of the database three is two"), 20, "where it is now")
            assert not following.done()
        finally:
            await cancel_and_wait([following])
            for name in ("one", "two"):
                async with connected(backed.database_url(name)) as connection:
                    await connection.execute(DROP, ARCHIVE_SLOT)


async def test_what_is_followed_while_the_control_database_is_silent_is_judged_once_it_answers(
    backed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "ASK_SECONDS", 0.05)
    one, two = (backed.database_url(name) for name in ("one", "two"))
    foreign = "update players_identity set deployment = '00000000-0000-0000-0000-000000000000'"
    followed = "select exists (select from pg_replication_slots where slot_name = $1)"
    with capture_logs() as lines:
        async with wire_to(one.get_secret_value()) as wire, connected(two) as database:
            await database.execute(foreign)
            behind = at(backed, one=SecretStr(wire.url))
            wire.refuse()
            following = asyncio.create_task(backups.follow(behind))
            try:
                await wait_until(lambda: database.fetchval(followed, ARCHIVE_SLOT), 20, "it is followed as it is")
                await wire.serve_again()
                told = "the database two is one of another deployment"
                await wait_until(lambda: any(told in line["event"] for line in lines), 20, "it is refused")
                assert not following.done()
            finally:
                await cancel_and_wait([following])
                for url in (one, two):
                    async with connected(url) as connection:
                        await connection.execute(DROP, ARCHIVE_SLOT)


@pytest.mark.parametrize("wrong", ["another name", "another deployment"])
async def test_nothing_is_kept_of_another_database(backed: Settings, wrong: str) -> None:
    name, deployment = ("one", None) if wrong == "another name" else ("two", "00000000-0000-0000-0000-000000000000")
    url, folder = backed.database_url("two"), backed.backup_folder
    assert folder is not None
    with pytest.raises(StackError, match="at the address of the database"):
        await making.facts_of(BackedUp(name, url, deployment))
    log = folder / "receiver.log"
    receiver = WalReceiver(name="log", log=log, database=name, url=url, folder=folder, deployment=deployment)
    try:
        with pytest.raises(StackError, match="at the address of the database"):
            await receiver.start()
    finally:
        await receiver.stop()
    async with connected(url) as connection:
        assert not await connection.fetchval(
            "select count(*) from pg_replication_slots where slot_name = $1", ARCHIVE_SLOT
        )


async def test_what_is_backed_up_is_of_the_control_databases_deployment(backed: Settings) -> None:
    async with connected(backed.database_url("one")) as control:
        deployment = await control.fetchval("select deployment from control_identity")
    assert deployment
    assert {database.deployment for database in await backups.named(backed, [])} == {deployment}
