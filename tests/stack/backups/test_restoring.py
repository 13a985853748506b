"""A database goes back to a moment, once and again; what isn't whole, or of another one, is refused."""

import shutil
from collections.abc import Callable
from datetime import timedelta

import pytest

from gameserver.stack.backups.receiver import received
from gameserver.stack.errors import StackError
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
    assert kept.catalog.expire(third.ended_at + timedelta(days=1), timedelta(0), 1) == [], "what it builds on stays"
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


async def test_a_moment_behind_the_end_of_the_log_is_refused(kept: Kept) -> None:
    backup = await kept.back_up()
    await kept.write(1)
    with pytest.raises(StackError, match="ends before"):
        await kept.restore(backup.ended_at + timedelta(hours=1))
    assert await kept.values() == [1]
    assert not kept.server.data.with_name("one.restoring").exists()
