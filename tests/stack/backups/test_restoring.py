"""A database goes back to a moment, once and again; what isn't whole, or of another one, is refused."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from gameserver.stack.backups import making
from gameserver.stack.backups.plan import plan
from gameserver.stack.backups.receiver import received
from gameserver.stack.errors import StackError
from gameserver.stack.servers.postgres import PostgresServer
from tests.stack.backups.conftest import Kept
from tests.stack.conftest import copy

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


async def test_what_was_received_is_there_after_the_data_and_the_receiver_were_lost(kept: Kept) -> None:
    await kept.back_up()
    await kept.write(1)
    kept.receiver.kill()
    await kept.write(2)
    await kept.receiver.start()
    assert await received("one", kept.receiver.url, 30)
    kept.server.kill()
    kept.receiver.kill()
    shutil.rmtree(kept.server.data)
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


async def test_a_backup_of_another_database_is_refused(kept: Kept, postgres: Make, folder: Path) -> None:
    await kept.back_up()
    other = postgres(folder / "other", new=True)
    await other.start()
    await other.stop()
    await kept.receiver.stop()
    await kept.server.stop()
    shutil.rmtree(kept.server.data)
    copy(other.data, kept.server.data)
    with pytest.raises(StackError, match="another database"):
        plan(kept.catalog, None, kept.place.present(kept.programs), None)
    wrong = making.opened_catalog("two", folder / "backups", kept.programs.account)
    shutil.rmtree(wrong.folder)
    copy(kept.catalog.folder, wrong.folder)
    with pytest.raises(StackError, match="of the database one, not of two"):
        wrong.backups()


async def test_moments_that_cant_be_restored_are_refused(kept: Kept) -> None:
    backup = await kept.back_up()
    present = kept.place.present(kept.programs)
    with pytest.raises(StackError, match="before the oldest backup"):
        plan(kept.catalog, backup.ended_at - timedelta(seconds=1), present, None)
    with pytest.raises(StackError, match="no timeline 2"):
        plan(kept.catalog, None, present, 2)
    later: datetime = backup.ended_at + timedelta(hours=1)
    await kept.write(1)
    with pytest.raises(StackError, match="ends before"):
        await kept.restore(later)
    assert await kept.values() == [1]


async def test_log_with_a_gap_isnt_restored_to_its_end(kept: Kept) -> None:
    await kept.back_up()
    for value in range(3):
        await kept.write(value)
        await switch(kept)
    await kept.write(3)
    assert await received("one", kept.receiver.url, 30)
    (log,) = kept.catalog.log_folders(kept.catalog.backups()[0].system)
    whole = sorted(path for path in log.iterdir() if len(path.name) == 24)
    whole[-1].unlink()
    with pytest.raises(StackError, match="gap"):
        await kept.restore(None)


async def switch(kept: Kept) -> None:
    connection = await asyncpg.connect(kept.server.superuser_url)
    await connection.fetchval("select pg_switch_wal()")
    await connection.close()
