"""A restore of all that there is: its database ends first, and nothing that it acknowledged is lost."""

import shutil
from pathlib import Path

import pytest

from gameserver.app import restoring
from gameserver.stack.backups import placing
from gameserver.stack.backups.closing import ClosedDatabase
from gameserver.stack.backups.log_archive import SEGMENT
from gameserver.stack.backups.making import BackedUp
from gameserver.stack.errors import StackError
from gameserver.stack.servers import managed
from tests.stack.backups.conftest import Kept
from tests.stack.backups.test_making import as_superuser
from tests.support.freezing import frozen


def ignore(_: str) -> None:
    """For what a restore says."""


@pytest.mark.parametrize("receiver", ["runs", "was killed"])
async def test_what_a_database_acknowledged_before_it_was_ended_is_restored(kept: Kept, receiver: str) -> None:
    await kept.back_up()
    if receiver == "was killed":
        kept.receiver.kill()
    await kept.write(1)
    await as_superuser(kept, "select pg_switch_wal()")
    await kept.write(2)
    said: list[str] = []
    await kept.restore_all(said.append)
    assert await kept.values() == [1, 2]
    assert [text for text in said if "properly" in text] == []
    await kept.write(3)
    await kept.restore_all(said.append)
    assert await kept.values() == [1, 2, 3], "its log goes on on the new timeline"


async def test_a_closed_database_cant_be_started_until_it_is_let_go(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed, "_EARLIER_RUN_SECONDS", 0.1)
    await kept.write(1)
    with ClosedDatabase(kept.place, kept.programs) as closed:
        await closed.close()
        assert await kept.server.process.ended(0)
        with pytest.raises(StackError, match="still runs from an earlier start"):
            await kept.server.start()
    await kept.server.start()
    assert await kept.values() == [1]


async def test_a_restore_that_fails_after_the_end_of_its_database_leaves_it_as_it_was(kept: Kept) -> None:
    await kept.back_up()
    await kept.write(1)
    await kept.ask("drop table written")
    with pytest.raises(StackError, match="no table"):
        await kept.restore_all(ignore)
    await kept.server.start()
    await kept.receiver.stop()
    await kept.receiver.start()
    await kept.ask("create table written (value int)")
    await kept.write(2)
    await kept.restore_all(ignore)
    assert await kept.values() == [2], "the log goes on behind what was kept at its end"


async def write_and_forget_log(kept: Kept) -> None:
    """Values up to 3, of which the log has only the last one, as where what is kept for a receiver has a bound."""
    for value in range(4):
        await as_superuser(kept, "select pg_switch_wal()")
        await kept.write(value)
    newest = str(await kept.ask("select pg_walfile_name(pg_current_wal_lsn())"))
    for path in (kept.place.folder(kept.programs) / "pg_wal").iterdir():
        if SEGMENT.fullmatch(path.name) and path.name < newest:
            path.unlink()


async def test_one_whose_log_doesnt_follow_what_was_kept_goes_on_and_the_restore_is_refused(kept: Kept) -> None:
    """Its receiver was dead for longer than its log reaches back."""
    await kept.back_up()
    kept.receiver.kill()
    await write_and_forget_log(kept)
    with pytest.raises(StackError, match="neither kept nor is it in its own log"):
        await kept.restore_all(ignore)
    await kept.write(4)
    assert await kept.values() == [0, 1, 2, 3, 4]


async def test_all_of_a_past_that_was_given_up_is_restored_however_little_log_the_present_one_has(kept: Kept) -> None:
    await kept.back_up()
    moment = await kept.write(10)
    await kept.write(11)
    await kept.restore(moment)
    kept.receiver.kill()
    await write_and_forget_log(kept)
    await kept.restore_all(ignore, timeline=1)
    assert await kept.values() == [10, 11]


async def test_of_log_that_couldnt_be_copied_nothing_stays(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept.back_up()
    kept.receiver.kill()
    await kept.write(1)
    copy = shutil.copyfile

    def full(path: Path, to: Path) -> None:
        copy(path, to)
        raise OSError("no space")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StackError, match="no space"):
        await kept.restore_all(ignore)
    (system,) = (kept.catalog.folder / "wal").iterdir()
    assert [path.name for path in system.iterdir() if not path.name.isdigit()] == []


async def test_of_a_database_that_was_killed_what_was_kept_counts_and_that_is_said(kept: Kept) -> None:
    await kept.back_up()
    await kept.write(1)
    kept.receiver.kill()
    kept.server.kill()
    said: list[str] = []
    await kept.restore_all(said.append)
    assert "one hasn't ended properly: only what was kept" in said[-1]


async def test_one_that_doesnt_end_is_left_as_it_is(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "END_SECONDS", 0.2)
    await kept.write(1)
    with (
        frozen(kept.server),
        ClosedDatabase(kept.place, kept.programs) as closed,
        pytest.raises(StackError, match=r"hasn't ended within 0\.2 s"),
    ):
        await closed.close()


async def test_who_restores_beside_a_database_that_takes_writes_is_told_so(kept: Kept) -> None:
    said: list[str] = []
    database = BackedUp("one", kept.receiver.url)
    await restoring._warn_of_writes(database, said.append)
    assert ["one still takes writes" in text for text in said] == [True]
    await kept.server.stop()
    await restoring._warn_of_writes(database, said.append)
    assert len(said) == 1
