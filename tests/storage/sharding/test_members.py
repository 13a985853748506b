"""Databases of groups: a drain is taken back whole, an address that changes is followed; and records of moves that have
long been over are deleted."""

import socket
import ssl
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.commands.results import ChangedBy
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict
from gameserver.storage.postgres.causes import NoPrimary, Unfit
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.passfile import PassfileFault
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.admission import admit, is_gone
from gameserver.storage.sharding.move import PlannedMove, Step
from gameserver.storage.sharding.provision import Migrated
from gameserver.storage.sharding.records import MoveRecords
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import connected, enlist, slots_of
from tests.support.servers import Servers
from tests.support.switches import switched


async def test_adding_a_database_takes_back_its_drain_in_all_of_its_groups(core: Core, settings: Settings) -> None:
    before = await core.sharding.membership.listed()
    await sharding.drain(core.sharding, "two", [])
    draining = {member.group for member in await core.sharding.membership.listed() if member.draining}
    assert draining == {member.group for member in before if member.database == "two"}
    assert len(draining) > 1
    await admit(settings, "two", None, ["players"])
    assert await core.sharding.membership.listed() == before


async def test_tables_of_a_database_are_not_changed_while_slots_are_moved_to_it(core: Core, settings: Settings) -> None:
    plans = [PlannedMove("players", "one", "two", slots_of(core, "one")[:1])]
    await core.sharding.moves.order(plans, command_id())
    await _become_old(core, "two")
    with pytest.raises(Conflict, match="Slots of players are being moved"):
        await admit(settings, "two", None, ["players"])


async def _become_old(core: Core, database: str) -> None:
    async with connected(core.databases[database].url) as connection:
        await connection.execute("update alembic_version_players set version_num = 'players_0001'")


async def test_a_move_that_begins_amid_a_migration_ends_it_before_the_next_database(
    core: Core, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans, upgraded = [PlannedMove("players", "one", "two", slots_of(core, "one")[:1])], list[str]()

    async def upgrade(_: Settings, database: Database, group: str, done: Migrated) -> None:
        if group == "players":
            upgraded.append(database.name)
            await core.sharding.moves.order(plans, command_id())

    for name in ("one", "two"):
        await _become_old(core, name)
    monkeypatch.setattr(provision, "_step", upgrade)
    with pytest.raises(Conflict, match="Slots of players are being moved"):
        await provision.migrate(settings)
    assert upgraded == ["one"]


async def test_a_second_drain_that_is_refused_leaves_the_first_ones_mark(core: Core) -> None:
    plans = await sharding.plan_drain(core.sharding, "one")
    moves = await sharding.drain(core.sharding, "one", plans)
    assert moves
    marked = await core.sharding.membership.listed()
    assert "one" in {member.database for member in marked if member.draining}
    with pytest.raises(Conflict, match="in a move already"):
        await sharding.drain(core.sharding, "one", plans, ChangedBy("ann", "a test", command_id()))
    assert await core.sharding.membership.listed() == marked
    assert [move.id for move in await core.sharding.moves.unfinished()] == moves


async def test_records_of_moves_go_thirty_days_after_their_end_with_their_slots(core: Core) -> None:
    player = await enlist(core, database="one")
    moves: MoveRecords = core.sharding.moves
    old = await moving.move(core, moving.slot_with([player]), "two")
    new = await moving.move(core, moving.slot_with([player]), "one")
    assert await moves.forget_old(10) == 0
    async with connected(core.databases["one"].url) as connection:
        await connection.execute("update moves set ended_at = ended_at - interval '31 days' where id = $1", old.id)
        assert await moves.forget_old(10) == 1
        assert [row["id"] for row in await connection.fetch("select id from moves")] == [new.id]
        assert {row["move"] for row in await connection.fetch("select move from move_slots")} == {new.id}


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (ConnectionRefusedError("no"), True),
        (TimeoutError("no"), True),
        (socket.gaierror("no"), True),
        (OSError("Multiple exceptions: refused, refused"), True),
        (NoPrimary("no"), True),
        (Unfit("no"), False),
        (PassfileFault("no"), False),
        (ConnectionResetError("no"), False),
        (ConnectionError("InvalidPasswordError: no"), False),
        (ssl.SSLError("no"), False),
        (asyncpg.CannotConnectNowError("no"), False),
        (asyncpg.InsufficientPrivilegeError("no"), False),
        (asyncpg.InterfaceError("no"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_silence_or_a_replica_says_that_no_server_takes_writes(error: Exception, *, gone: bool) -> None:
    assert is_gone(error) is gone


def at(settings: Settings, name: str, port: int) -> SecretStr:
    """The address of a database that the settings name, by another port."""
    url = settings.database_url(name).get_secret_value()
    return SecretStr(url.replace(f":{url.rpartition(':')[2].partition('/')[0]}/", f":{port}/"))


async def test_a_database_that_joins_again_at_another_address_is_followed_there_at_once(
    core: Core, settings: Settings, servers: Servers
) -> None:
    members, port = core.sharding.membership, servers.postgres["two"].port
    async with switched(port) as first, switched(port) as second:
        await members.join("players", "three", at(settings, "two", first.port))
        await core.slots.refresh()
        three = core.databases["three"]
        held = await three.connect_unjudged({})
        await members.join("players", "three", at(settings, "two", first.port))
        await core.slots.refresh()
        assert not held.is_closed(), "it is at the same address"
        first.close()
        await members.join("players", "three", at(settings, "two", second.port))
        await core.slots.refresh()
        assert held.is_closed()
        assert core.databases["three"] is three
        there = await three.connect_unjudged({})
        assert there.address == f"127.0.0.1:{second.port}"
        there.terminate()
        (move,) = await core.sharding.moves.make([PlannedMove("players", "one", "three", [0])], "tester")
        with pytest.raises(Conflict, match="has a part in a move"):
            await members.join("players", "three", at(settings, "two", first.port))
        await members.join("players", "three", at(settings, "two", second.port))
        await core.sharding.moves.advance(await core.sharding.moves.find(move), Step.DONE)
    await members.leave("three")


async def test_an_address_isnt_changed_while_another_server_takes_writes_at_the_former_one(
    settings: Settings, servers: Servers, tmp_path: Path
) -> None:
    ports = {name: servers.postgres[name].port for name in ("one", "two")}
    empty = await servers.bare()
    stored = f"postgresql://gameserver@127.0.0.1:%d/{empty}"
    passwords = tmp_path / "passwords"
    passwords.write_text("*:*:*:gameserver:test\n")
    passwords.chmod(0o600)
    settings = settings.model_copy(update={"control": settings.control.model_copy(update={"passfile": passwords})})
    copy = Database("three", SecretStr(stored % ports["one"]), passwords, patient=True)
    await provision.upgrade(settings, copy, "players")
    await copy.dispose()
    async with switched(ports["two"]) as first, switched(ports["two"]) as second:
        await admit(settings, "three", SecretStr(stored % first.port), ["players"])
        async with connected(settings.database_url("one")) as control:
            await control.execute("update slots set database = 'three' where slot = 0 and \"group\" = 'players'")
            await control.execute("update players_owned_slots set owned = false where slot = 0")
            for port in ports.values():
                async with connected(SecretStr(stored.replace("gameserver@", "gameserver:test@") % port)) as connection:
                    await connection.execute("insert into players_owned_slots (slot, owned, epoch) values (0, true, 1)")
            with pytest.raises(Conflict, match="still takes writes at its former address"):
                await admit(settings, "three", SecretStr(stored % ports["one"]), ["players"])
            address = "select url from databases where name = 'three'"
            assert await control.fetchval(address) == stored % first.port
            await admit(settings, "three", SecretStr(stored % second.port), ["players"])
            assert await control.fetchval(address) == stored % second.port
            async with connected(SecretStr(servers.postgres["two"].superuser_url)) as superuser:
                await superuser.execute(f"alter database {empty} connection limit 0")
                try:
                    with pytest.raises(Conflict, match=r"can't be told.*has no connection left"):
                        await admit(settings, "three", SecretStr(stored % ports["one"]), ["players"])
                finally:
                    await superuser.execute(f"alter database {empty} connection limit -1")
            second.close()
            await admit(settings, "three", SecretStr(stored % ports["one"]), ["players"])
            assert await control.fetchval(address) == stored % ports["one"]
            unreadable = (
                "update databases set url = url || '?user=a@b' where name = 'three'"  # earlier versions took it
            )
            await control.execute(unreadable)
            with pytest.raises(Conflict, match=r"former address of three.*percent-encoded.*Correct it there"):
                await admit(settings, "three", SecretStr(stored % ports["one"]), ["players"])
    servers.drop(empty)
