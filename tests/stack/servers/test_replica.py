"""An embedded replica follows its primary, whatever ends it, and is made anew when it can't."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.app import restoring
from gameserver.config.settings import load
from gameserver.stack import up
from gameserver.stack.backups.making import BackedUp
from gameserver.stack.errors import StackError
from gameserver.stack.servers import datafolder, standbys
from gameserver.stack.servers import replica as replicas
from gameserver.stack.servers.datafolder import restored_beside
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.stack.servers.roles import SUPERUSER
from gameserver.stack.servers.standbys import slot_of
from gameserver.waiting import cancel_and_wait
from tests.stack.conftest import copy
from tests.support.freezing import frozen
from tests.support.replicas import replica_of
from tests.support.repository import CONFIG
from tests.support.wait import wait_until

Make = Callable[..., PostgresServer]
NAME = "one-replica-1"


@pytest.fixture
async def primary(postgres: Make) -> PostgresServer:
    server = postgres()
    server.standbys = (NAME,)
    await server.start()
    await tell(server, "create table written (value int)")
    return server


@pytest.fixture
async def replica(primary: PostgresServer, folder: Path) -> AsyncIterator[PostgresReplica]:
    made = replica_of(primary, folder, NAME)
    await made.start()
    yield made
    await made.stop()


async def tell(server: PostgresServer, statement: str) -> None:
    connection = await asyncpg.connect(server.superuser_url, command_timeout=20)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def ask(server: PostgresServer, question: str) -> object:
    connection = await asyncpg.connect(server.superuser_url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def aside(replica: PostgresReplica) -> list[Path]:
    """What was there before it was made anew, and stayed."""
    return list(replica.data.parent.glob(f"{replica.data.name}.before-*"))


async def follows(primary: PostgresServer, replica: PostgresServer, value: int) -> None:
    """What is written on the primary comes to the replica."""
    await tell(primary, f"insert into written values ({value})")

    async def there() -> bool:
        return bool(await ask(replica, f"select exists (select from written where value = {value})"))

    await wait_until(there, 20, "the replica has the row")


async def test_a_replica_follows_also_after_kills_of_both(primary: PostgresServer, replica: PostgresReplica) -> None:
    await follows(primary, replica, 1)
    replica.kill()
    await tell(primary, "insert into written values (2)")
    await replica.start()
    await follows(primary, replica, 3)
    assert await ask(replica, "select count(*) from written") == 3
    primary.kill()
    await primary.start()
    await follows(primary, replica, 4)


async def test_a_replica_refuses_writes(replica: PostgresReplica) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await tell(replica, "insert into written values (1)")


async def test_a_replica_whose_wal_is_gone_is_made_anew(primary: PostgresServer, replica: PostgresReplica) -> None:
    await replica.stop()
    await tell(primary, f"select pg_drop_replication_slot('{slot_of(NAME)}')")
    await tell(primary, "insert into written values (1)")
    await replica.start()
    await follows(primary, replica, 2)
    assert await ask(replica, "select count(*) from written") == 2
    assert aside(replica) == [], "it was a copy"


async def test_a_replica_whose_wal_goes_while_it_runs_ends_and_is_made_anew(
    primary: PostgresServer, replica: PostgresReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "LOOK_SECONDS", 0.1)
    await replica.stop()
    await primary.stop()
    settings = primary.settings
    primary.settings = {**settings, "max_slot_wal_keep_size": "1MB"}
    await primary.start()
    await replica.start()
    await follows(primary, replica, 1)

    # Nobody gets in for a while, as over a network that is cut.
    connection = await asyncpg.connect(primary.superuser_url, command_timeout=20)
    await connection.execute(f"alter role {SUPERUSER} nologin")
    await connection.execute("select pg_terminate_backend(pid) from pg_stat_replication")

    async def is_lost() -> bool:
        for statement in ("insert into written values (2)", "select pg_switch_wal()", "checkpoint"):
            await connection.execute(statement)
        return bool(await connection.fetchval("select wal_status = 'lost' from pg_replication_slots"))

    await wait_until(is_lost, 20, "the primary has given up what the replica lacks")
    await connection.execute(f"alter role {SUPERUSER} login")
    await connection.close()
    assert await replica.process.ended(20)
    await primary.stop()
    primary.settings = settings
    await primary.start()
    await replica.start()
    await follows(primary, replica, 3)


async def test_data_of_another_system_is_made_anew(
    primary: PostgresServer, replica: PostgresReplica, postgres: Make, folder: Path
) -> None:
    await replica.stop()
    other = postgres(folder / "other", new=True)
    await other.start()
    await other.stop()
    shutil.rmtree(replica.data)
    copy(other.data, replica.data)
    await replica.start()
    await follows(primary, replica, 1)
    assert [(former / "PG_VERSION").exists() for former in aside(replica)] == [True], "it may be the last of its own"


async def test_data_of_a_replica_that_was_promoted_is_put_aside(
    primary: PostgresServer, replica: PostgresReplica
) -> None:
    await ask(replica, "select pg_promote()")
    await tell(replica, "insert into written values (1)")
    await replica.stop()
    await tell(primary, f"select pg_drop_replication_slot('{slot_of(NAME)}')")
    await replica.start()
    await follows(primary, replica, 2)
    assert [(former / "PG_VERSION").exists() for former in aside(replica)] == [True]


async def test_data_of_a_replica_that_is_ahead_of_a_primary_put_back_is_put_aside(
    primary: PostgresServer, replica: PostgresReplica, folder: Path
) -> None:
    await primary.stop()
    copy(primary.data, folder / "snapshot")
    await primary.start()
    await tell(primary, "insert into written values (1)")
    await follows(primary, replica, 2)
    await replica.stop()
    await primary.stop()
    shutil.rmtree(primary.data)
    copy(folder / "snapshot", primary.data)  # as of a disk's snapshot: the same system and timeline
    await primary.start()
    await tell(primary, f"select pg_drop_replication_slot('{slot_of(NAME)}')")
    await replica.start()
    await follows(primary, replica, 1)
    assert [(former / "PG_VERSION").exists() for former in aside(replica)] == [True], "it alone has the last commit"


async def test_data_that_cant_be_read_stays(primary: PostgresServer, replica: PostgresReplica) -> None:
    await replica.stop()
    control = replica.data / "global" / "pg_control"
    missing = control.rename(control.with_name("missing"))
    await tell(primary, f"select pg_drop_replication_slot('{slot_of(NAME)}')")
    with pytest.raises(StackError, match=f"The data in {replica.data} can't be read: move it away, or bring it back"):
        await replica.start()
    missing.rename(control)
    assert aside(replica) == []
    await replica.start()
    await follows(primary, replica, 1)


async def test_former_data_that_cant_be_moved_is_no_silence_of_the_primary(
    primary: PostgresServer, replica: PostgresReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Read-only file system")

    await replica.stop()
    await tell(primary, f"select pg_drop_replication_slot('{slot_of(NAME)}')")
    monkeypatch.setattr(datafolder, "put_in_place", refuse)
    refused = f"The former data in {replica.data} can't be moved away: Read-only file system"
    with pytest.raises(StackError, match=refused):
        await replica.start()


@pytest.mark.parametrize("way", ["the copy takes its place", "it is restored"])
async def test_a_lost_primary_isnt_made_anew_beside_its_last_copy(
    primary: PostgresServer, replica: PostgresReplica, folder: Path, way: str
) -> None:
    primary.copies = [replica.data]
    await replica.stop()
    copy(replica.data, folder / "backup")
    await replica.start()
    await follows(primary, replica, 1)
    await replica.stop()
    await primary.stop()
    shutil.rmtree(primary.data)
    with pytest.raises(StackError, match=f"has no data, and its replica has some, in {replica.data}"):
        await primary.start()
    assert not primary.data.exists()
    restored = way == "it is restored"
    to = restored_beside(primary.data) if restored else primary.data
    (folder / "backup" if restored else replica.data).rename(to)
    # As docs/replication.md says.
    (to / "standby.signal").rename(to / "recovery.signal")
    with (to / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = 'false'\nhot_standby = off\n")
    await primary.start()
    await replica.start()
    await follows(primary, replica, 2)
    assert await ask(replica, "select array_agg(value order by value) from written") == ([2] if restored else [1, 2])
    # It has the row that the restored data lacks.
    assert [(former / "PG_VERSION").exists() for former in aside(replica)] == ([True] if restored else [])


async def test_a_primary_that_is_killed_while_a_replica_is_made_is_a_fault_of_the_replica(
    primary: PostgresServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_: object) -> None:
        raise asyncpg.ConnectionDoesNotExistError("cut")

    monkeypatch.setattr(standbys, "renew", cut)
    with pytest.raises(StackError, match=f"which {NAME} follows, doesn't answer: cut"):
        await replica_of(primary, folder, NAME).start()


async def test_the_slot_of_a_former_replica_is_dropped(primary: PostgresServer, replica: PostgresReplica) -> None:
    await replica.stop()
    await primary.stop()
    primary.standbys = ()
    await primary.start()
    assert await ask(primary, "select count(*) from pg_replication_slots") == 0


def test_up_tells_a_database_where_its_replicas_have_their_data(tmp_path: Path) -> None:
    (tmp_path / "replicated.toml").write_text((CONFIG / "replicated.toml").read_text("utf-8"), "utf-8")
    settings = load(tmp_path / "replicated.toml")
    (replica,) = up.replicas(settings, up.servers(settings))
    assert [folder.absolute() for folder in replica.primary.copies] == [replica.data]


async def test_a_synchronous_commit_waits_for_a_replica(primary: PostgresServer, replica: PostgresReplica) -> None:
    await primary.stop()
    primary.synchronous = True
    await primary.start()
    await follows(primary, replica, 1)
    connection = await asyncpg.connect(primary.superuser_url)
    with frozen(replica), pytest.raises(TimeoutError):
        await connection.execute("insert into written values (2)", timeout=1)
    connection.terminate()
    await follows(primary, replica, 3)


async def test_what_crossed_is_put_right_when_commits_of_the_restored_database_have_their_replica_again(
    primary: PostgresServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(restoring, "TELL_SECONDS", 0.1)
    await primary.stop()
    primary.synchronous = True
    await primary.start()
    made, said = replica_of(primary, folder, NAME), list[str]()
    database = BackedUp("one", SecretStr(primary.url))
    waiting = asyncio.create_task(restoring.until_a_replica_streams(database, "THIS", said.append))
    try:
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        assert "one acknowledges nothing until a replica" in said[0]
        assert "one still waits for a replica: no replica streams yet" in said
        await cancel_and_wait([waiting])
        monkeypatch.setattr(restoring, "REPLICA_SECONDS", 0)
        with pytest.raises(StackError, match="When one does, run THIS"):
            await restoring.until_a_replica_streams(database, "THIS", said.append)
        monkeypatch.setattr(restoring, "REPLICA_SECONDS", 60)
        waiting = asyncio.create_task(restoring.until_a_replica_streams(database, "THIS", said.append))
        await made.start()
        await asyncio.wait([waiting], timeout=20)
        assert waiting.done()
        await waiting
    finally:
        await cancel_and_wait([waiting])
        await made.stop()
