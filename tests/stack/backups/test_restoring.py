"""A database goes back to a moment, once and again; what isn't whole, or of another one, is refused."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.stack.backups import retention, room
from gameserver.stack.backups.receiver import received
from gameserver.stack.errors import StackError
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.servers import managed
from gameserver.stack.servers.postgres import PostgresServer
from tests.stack.backups.conftest import Kept

Make = Callable[..., PostgresServer]


async def test_a_database_goes_back_to_a_moment_and_again_after_that(kept: Kept) -> None:
    await kept.write(1)
    await kept.back_up()
    second = await kept.write(2)
    await kept.write(3)
    await kept.restore(second)
    assert await kept.values() == [1, 2]
    former = list(kept.server.data.parent.glob("one.before-*"))
    assert len(former) == 1, "what it had stays beside"

    # On the new timeline, from the backup of the first one: over the point where they part.
    fourth = await kept.write(4)
    await kept.write(5)
    await kept.restore(fourth)
    assert await kept.values() == [1, 2, 4]

    # And what was given up at first is still there to go to.
    await kept.restore(None, timeline=1)
    assert await kept.values() == [1, 2, 3]


async def test_every_role_gets_the_password_that_is_asked_for_and_one_that_isnt_there_none(kept: Kept) -> None:
    superuser = await asyncpg.connect(kept.server.superuser_url)
    await superuser.execute("create role replicator login password 'lost with its key'")
    await superuser.close()
    await kept.back_up()
    kept.others = {"replicator": SecretStr("a-new-one"), "nobody": SecretStr("another")}
    await kept.restore(None)
    port = kept.server.port
    role = await asyncpg.connect(
        host="127.0.0.1", port=port, user="replicator", password="a-new-one", database="postgres"
    )
    assert await role.fetchval("select count(*) from pg_roles where rolname = 'nobody'") == 0
    await role.close()


async def test_a_database_goes_back_to_a_moment_after_an_incremental_backup(kept: Kept) -> None:
    with pytest.raises(StackError, match="set `summarize_wal = on`"):
        await kept.back_up(incremental=True)
    kept.server.settings = {**kept.server.settings, "summarize_wal": "on"}
    await kept.restart()
    with pytest.raises(StackError, match="no backup of one to build on"):
        await kept.back_up(incremental=True)
    await kept.write(1)
    full = await kept.back_up()
    await kept.write(2)
    second = await kept.back_up(incremental=True)
    third = await kept.back_up(incremental=True)
    assert [backup.parent for backup in (full, second, third)] == [None, full.id, second.id]
    assert third.size < full.size / 2
    assert retention.expire(kept.catalog, third.ended_at + timedelta(days=1), timedelta(0), 1) == [], (
        "what it builds on stays"
    )
    moment = await kept.write(3)
    await kept.write(4)
    await kept.restore(moment)
    assert await kept.values() == [1, 2, 3]
    shutil.rmtree(kept.catalog.data(second).parent)
    with pytest.raises(StackError, match=f"{third.id} of one builds on {second.id}, which isn't there"):
        await kept.restore(None)


async def test_what_was_received_is_there_after_the_data_and_the_receiver_were_lost(kept: Kept) -> None:
    await kept.back_up()
    await kept.write(1)
    kept.receiver.kill()
    await kept.write(2)
    await kept.receiver.start()
    assert await received("one", kept.receiver.url, 30)
    kept.lose_disk()
    await kept.restore(None, received_first=False)
    assert await kept.values() == [1, 2]


async def test_a_truncated_backup_is_refused_and_nothing_changes(kept: Kept) -> None:
    await kept.write(1)
    backup = await kept.back_up()
    await kept.write(2)
    file = kept.catalog.data(backup) / "global" / "pg_filenode.map"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(StackError, match=r"damaged.*pg_filenode"):
        await kept.restore(None)
    assert await kept.values() == [1, 2]
    assert not list(kept.server.data.parent.glob("one.*restor*/"))


async def test_a_moment_behind_the_end_of_the_log_is_refused(kept: Kept) -> None:
    backup = await kept.back_up()
    await kept.write(1)
    with pytest.raises(StackError, match="ends before"):
        await kept.restore(backup.ended_at + timedelta(hours=1))
    assert await kept.values() == [1]
    assert not kept.server.data.with_name("one.restoring").exists()


async def test_a_copy_that_fails_is_gone_with_all_that_was_made_for_it(kept: Kept) -> None:
    backup = await kept.back_up()
    (kept.catalog.data(backup) / "global" / "pg_filenode.map").chmod(0)
    before = set(kept.server.data.parent.iterdir())
    with pytest.raises(StackError, match=r"set-up of Postgres one failed .*\n(.*\n)*.*pg_filenode"):
        await kept.restored()
    assert set(kept.server.data.parent.iterdir()) == before


async def test_what_another_process_restores_there_stays(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed, "_EARLIER_RUN_SECONDS", 0.1)
    await kept.back_up()
    other = FolderLock(kept.restoring.with_name("one.restoring.lock"))
    assert other.acquire()
    half = kept.restoring.with_name("one.restoring.new")
    half.mkdir()
    with pytest.raises(StackError, match="still runs from an earlier start"):
        await kept.restored()
    assert half.exists()
    other.remove()
    await kept.restored()
    assert [path.name for path in kept.server.data.parent.glob("one.restoring*")] == ["one.restoring"]


async def test_what_another_process_has_restored_to_a_named_folder_stays(kept: Kept) -> None:
    await kept.back_up()
    await kept.restored(elsewhere=True)
    with pytest.raises(StackError, match="isn't empty"):
        await kept.restored(elsewhere=True)
    assert (kept.restoring / "PG_VERSION").exists()
    await kept.restored()


def _disk_bytes(folder: Path) -> int:
    return int(subprocess.check_output(["du", "-sB1", str(folder)]).split()[0])


async def test_a_disk_has_to_have_room_for_all_that_a_restore_makes(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.back_up()
    await kept.ask("create table much as select repeat('x', 1000) as text from generate_series(1, 40000)")
    await kept.ask("drop table much")
    chosen, sources = await kept.restored()
    assert len(list(kept.restoring.glob("pg_wal/0???????????????????????"))) > 3, "what was replayed lies there, too"
    needed = room.bytes_of(chosen, sources)
    taken = await asyncio.to_thread(_disk_bytes, kept.restoring)
    assert taken <= needed < taken + 4 * chosen.archive.segment
    assert needed > room.bytes_of(replace(chosen, moment=chosen.backup.ended_at), sources)

    for free in (needed - 1, needed):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        if free == needed:
            await kept.restored()
            continue
        with pytest.raises(StackError, match="MiB free, and the restore takes"):
            await kept.restored()
        assert not list(kept.server.data.parent.glob("one.restoring*"))
