"""Base backups are made whole or not at all, and deleted when nothing needs them."""

import asyncio
import os
import shutil
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import asyncpg
import orjson
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gameserver.stack.backups import making, retention
from gameserver.stack.backups import receiver as receiving
from gameserver.stack.backups.catalog import FACTS
from gameserver.stack.backups.log_archive import whole_until
from gameserver.stack.backups.programs import conninfo
from gameserver.stack.backups.receiver import received
from gameserver.stack.errors import StackError
from gameserver.stack.servers import datafolder
from gameserver.stack.servers.standbys import ARCHIVE_SLOT
from gameserver.storage.operators import standby_condition
from tests.stack.backups.conftest import Kept
from tests.support.wait import wait_until

SLOTS = f"pg_replication_slots where slot_name = '{ARCHIVE_SLOT}'"


async def test_two_backups_at_once_are_refused(kept: Kept) -> None:
    with making.locked(kept.catalog), pytest.raises(StackError, match="under way"):
        await kept.back_up()


async def test_old_backups_and_their_log_go_and_what_a_kept_moment_needs_stays(kept: Kept) -> None:
    first, second = await kept.back_up(), await kept.back_up()
    # What an interrupted backup left is none, and the next one removes it.
    half = kept.catalog.half("20200101T000000000")
    shutil.copytree(kept.catalog.data(first).parent, half)
    assert kept.catalog.backups() == [second, first]
    third = await kept.back_up()
    assert not half.exists()
    assert await received("one", kept.receiver.url, 30)
    # A moment between the second and the third still counts: the second is what it is restored from.
    keep = third.ended_at - second.ended_at - timedelta(milliseconds=1)
    assert retention.expire(kept.catalog, third.ended_at, keep, 1) == [first]
    assert kept.catalog.backups() == [third, second]
    (log,) = kept.catalog.log_folders(third.system)
    oldest = min(int(name[8:16], 16) * 256 + int(name[16:24], 16) for name in os.listdir(log))
    assert oldest == second.start // second.segment


async def test_a_system_without_tables_of_the_game_isnt_backed_up_over_another_one(kept: Kept) -> None:
    """As where the data was lost, and a new Postgres was made in its place."""
    backup = await kept.back_up()
    facts = kept.catalog.data(backup).parent / FACTS
    facts.write_bytes(orjson.dumps({**orjson.loads(facts.read_bytes()), "system": "7"}))
    with pytest.raises(StackError, match="has no tables of the game, and its newest backup is of 7"):
        await kept.back_up()
    assert len(kept.catalog.backups()) == 1
    # Also of a version before identities.
    await kept.ask("create table alembic_version_players as select 'players_0001' as version_num")
    anew = await kept.back_up()
    await kept.ask("drop table alembic_version_players")
    await kept.back_up()
    assert [each.system for each in kept.catalog.backups()] == [anew.system, anew.system, "7"]


async def test_a_password_is_on_no_command_line(kept: Kept) -> None:
    assert kept.receiver.process.pid is not None
    words = Path(f"/proc/{kept.receiver.process.pid}/cmdline").read_bytes()
    address, env = conninfo(kept.receiver.url, ARCHIVE_SLOT)
    assert address.encode() in words
    assert env["PGPASSWORD"] == kept.server.password.get_secret_value()
    assert kept.receiver.url.get_secret_value().encode() not in words


async def test_what_keeps_the_log_acknowledges_nothing_in_place_of_a_standby(kept: Kept) -> None:
    server = await asyncpg.connect(kept.server.superuser_url, command_timeout=30)
    try:
        await server.execute("alter system set synchronous_standby_names = '*'")
        await server.execute("select pg_reload_conf()")
        await wait_until(lambda: kept.ask("select current_setting('synchronous_standby_names') = '*'"), what="it waits")
        commit = asyncio.create_task(kept.write(1))
        waiting = "select pg_current_wal_flush_lsn()::text from pg_stat_activity where wait_event = 'SyncRep'"
        await wait_until(lambda: server.fetchval(waiting), what="the commit waits")
        position = await server.fetchval(waiting)
        await server.execute("select pg_switch_wal()")
        kept_to = "select restart_lsn >= $1::text::pg_lsn from pg_replication_slots"
        await wait_until(lambda: server.fetchval(kept_to, position), what="the segment is kept, the slot advanced")
        # A base backup reads the log, too, and ends with a segment.
        await kept.back_up()
        done, _ = await asyncio.wait([commit], timeout=0.3)
        assert not done
        await server.execute("alter system reset synchronous_standby_names")
        await server.execute("select pg_reload_conf()")
        await commit
    finally:
        await server.close()


async def test_doctor_takes_no_copy_of_the_log_for_a_standby(kept: Kept, tmp_path: Path) -> None:
    address, env = conninfo(kept.receiver.url, "pg_receivewal")
    reading = ("--directory", str(tmp_path), "--dbname", address, "--slot=another", "--create-slot", "--if-not-exists")
    program = kept.programs.folder / "pg_receivewal"
    make = await asyncio.create_subprocess_exec(program, *reading, env={"PATH": os.defpath, **env})
    assert await make.wait() == 0
    reader = await asyncio.create_subprocess_exec(program, *reading[:-2], env={"PATH": os.defpath, **env})
    server = await asyncpg.connect(kept.server.superuser_url, command_timeout=30)
    try:

        async def are_copies() -> bool:
            rows = (await standby_condition.read(server))["standbys"]
            return {row["name"] for row in rows if row["copies"]} == {"gameserver_archive", "pg_receivewal"}

        await wait_until(are_copies, what="neither is taken for a standby")
    finally:
        await server.close()
        reader.terminate()
        await reader.wait()


async def test_log_that_was_written_while_the_receiver_was_dead_is_kept_for_it(kept: Kept) -> None:
    system = (await kept.back_up()).system
    server = await asyncpg.connect(kept.server.superuser_url, command_timeout=30)
    try:
        await server.execute("select pg_switch_wal()")
        (log,) = kept.catalog.log_folders(system)
        ends = "select restart_lsn = '0/0'::pg_lsn + $1::numeric from pg_replication_slots"
        await wait_until(lambda: server.fetchval(ends, whole_until(log, 16 << 20)), what="what is whole is let go")
        kept.receiver.kill()
        for value in range(3):
            await kept.write(value)
            await server.execute("select pg_switch_wal()")
            await server.execute("checkpoint")
        await kept.receiver.start()
    finally:
        await server.close()
    assert await received("one", kept.receiver.url, 30)
    assert kept.catalog.log_folders(system) == [log]


async def as_superuser(kept: Kept, *statements: str) -> None:
    server = await asyncpg.connect(kept.server.superuser_url, command_timeout=30)
    try:
        for statement in statements:
            await server.execute(statement)
    finally:
        await server.close()


def events(lines: list[EventDict]) -> list[str]:
    return [line["event"] for line in lines if line.get("database") == "one" and "slot" in line["event"]]


@pytest.mark.parametrize("log_goes_on", [True, False], ids=["amid play", "idle"])
async def test_a_slot_that_is_gone_is_made_again_while_the_log_is_received(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, log_goes_on: bool
) -> None:
    monkeypatch.setattr(receiving, "ADVANCE_SECONDS", 0.05)
    monkeypatch.setattr(receiving, "LOOK_SECONDS", 3600.0 if log_goes_on else 0.0)
    # Advanced once, so that only what comes afterwards can tell that the slot is gone.
    await as_superuser(kept, "select pg_switch_wal()")
    system = str(await kept.ask("select system_identifier::text from pg_control_system()"))
    (log,) = kept.catalog.log_folders(system)
    end = f"select pg_wal_lsn_diff(restart_lsn, '0/0') = {{}} from {SLOTS}"
    await wait_until(lambda: kept.ask(end.format(whole_until(log, 16 << 20) or -1)), what="the slot is advanced")
    with capture_logs() as lines:
        await kept.ask(f"select pg_drop_replication_slot('{ARCHIVE_SLOT}')")
        if log_goes_on:
            await kept.write(1)
            await as_superuser(kept, "select pg_switch_wal()")
        await wait_until(lambda: kept.ask(f"select count(*) = 1 from {SLOTS}"), 10, what="the slot is there again")
        await wait_until(lambda: kept.ask(end.format(whole_until(log, 16 << 20))), what="and is advanced")
        await wait_until(lambda: len(events(lines)) > 1, what="its end is told")
    assert events(lines) == ["the log isn't kept by its slot", "the log is kept by its slot again"]
    await kept.receiver.stop()
    await kept.receiver.start()
    assert kept.catalog.log_folders(system) == [log]


async def test_the_log_goes_on_where_it_ended_when_the_slot_was_lost_and_the_log_wasnt(kept: Kept) -> None:
    await kept.back_up()
    await kept.write(1)
    await as_superuser(kept, "alter system set wal_keep_size = '1GB'", "select pg_reload_conf()")
    await kept.receiver.stop()
    await kept.ask(f"select pg_drop_replication_slot('{ARCHIVE_SLOT}')")
    await kept.write(2)
    await as_superuser(kept, "select pg_switch_wal()", "checkpoint")
    await kept.receiver.start()
    assert len(kept.catalog.log_folders(kept.catalog.backups()[0].system)) == 1
    third = await kept.write(3)
    await kept.write(4)
    await kept.restore(third)
    assert await kept.values() == [1, 2, 3]


@pytest.mark.parametrize("slot", ["dropped", "lost"])
async def test_the_log_goes_on_in_a_new_folder_when_slot_and_log_were_lost(kept: Kept, slot: str) -> None:
    settings = kept.server.settings
    if slot == "lost":
        kept.server.settings = {**settings, "max_slot_wal_keep_size": "1MB"}
        await kept.restart()
    await kept.back_up()
    await kept.receiver.stop()
    if slot == "dropped":
        await kept.ask(f"select pg_drop_replication_slot('{ARCHIVE_SLOT}')")
    for value in range(3):
        await kept.write(value)
        await as_superuser(kept, "select pg_switch_wal()", "checkpoint")
    assert await kept.ask(f"select max(wal_status) from {SLOTS}") == (None if slot == "dropped" else "lost")
    kept.server.settings = settings
    await kept.restart()
    assert await kept.ask(f"select wal_status <> 'lost' from {SLOTS}")
    assert len(kept.catalog.log_folders(kept.catalog.backups()[0].system)) == 2
    await kept.back_up()
    third = await kept.write(3)
    await kept.write(4)
    await kept.restore(third)
    assert await kept.values() == [0, 1, 2, 3]


async def test_a_receiver_that_ended_before_it_began_a_folder_begins_it_where_the_slot_keeps_the_log(
    kept: Kept,
) -> None:
    system = (await kept.back_up()).system
    await kept.receiver.stop()
    making.make_log_folder(kept.catalog.next_log_folder(system), kept.programs.account)
    await kept.write(1)
    await as_superuser(kept, "select pg_switch_wal()")
    await kept.write(2)
    await kept.receiver.start()
    await kept.restore(None)
    assert await kept.values() == [1, 2]


async def test_a_segment_that_was_only_begun_hides_none_that_has_log(kept: Kept) -> None:
    system = (await kept.back_up()).system
    await kept.write(1)
    assert await received("one", kept.receiver.url, 30)
    await kept.receiver.stop()
    (log,) = kept.catalog.log_folders(system)
    (partial,) = log.glob("*.partial")
    begun = kept.catalog.next_log_folder(system)
    making.make_log_folder(begun, kept.programs.account)
    with (begun / partial.name).open("wb") as file:
        file.truncate(16 << 20)
    datafolder.give_to(begun / partial.name, kept.programs.account)
    await kept.restore(None, received_first=False)
    assert await kept.values() == [1]


async def test_a_receiver_goes_on_that_was_killed_while_it_began_a_segment(kept: Kept) -> None:
    await kept.back_up()
    await kept.write(1)
    assert await received("one", kept.receiver.url, 30)
    await kept.receiver.stop()
    (log,) = kept.catalog.log_folders(kept.catalog.backups()[0].system)
    (partial,) = log.glob("*.partial")
    os.truncate(partial, 15 << 20)
    await kept.receiver.start()
    assert await received("one", kept.receiver.url, 30)
    assert len(kept.catalog.log_folders(kept.catalog.backups()[0].system)) == 1


async def test_a_database_whose_clock_is_another_is_not_backed_up(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    class Behind(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Behind":
            moment = datetime.now(tz) - timedelta(minutes=6)
            return cls.fromtimestamp(moment.timestamp(), tz)

    with monkeypatch.context() as patch:
        patch.setattr(making, "datetime", Behind)
        with pytest.raises(StackError, match=r"The clock of one is \+360 s from this machine's"):
            await kept.back_up()
    assert kept.catalog.backups() == []
    await kept.back_up()


async def test_tablespaces_are_refused_before_a_backup_and_in_one(kept: Kept) -> None:
    backup = await kept.back_up()
    superuser = await asyncpg.connect(kept.server.superuser_url)
    await superuser.execute("set allow_in_place_tablespaces = on")
    await superuser.execute("create tablespace far location ''")
    with pytest.raises(StackError, match="one has the tablespaces far: what is restored of them would write"):
        await kept.back_up()
    await superuser.execute("drop tablespace far")
    await superuser.close()
    link = kept.catalog.data(backup) / "pg_tblspc" / "16384"
    link.symlink_to(kept.server.data)
    with pytest.raises(StackError, match="damaged: it has tablespaces"):
        await kept.restore(None)


@pytest.mark.parametrize("parameter", ["?sslpassword=unseen", "?sslmode=require&sslp%61ssword=unseen"])
def test_a_passphrase_comes_on_no_command_line(parameter: str) -> None:
    with pytest.raises(StackError, match="Leave sslpassword out") as refused:
        conninfo(SecretStr(f"postgresql://gameserver:word@db.example:5432/game{parameter}"), "a backup")
    assert "unseen" not in str(refused.value)
