"""What a killed restore leaves is taken by no start, and by no later restore for the database's past."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from gameserver.app import restoring
from gameserver.stack.backups import making, placing
from gameserver.stack.backups.closing import ClosedDatabase
from gameserver.stack.backups.plan import newest, plan
from gameserver.stack.backups.receiver import received
from gameserver.stack.errors import StackError
from gameserver.stack.processes.lock import FolderLock
from gameserver.stack.servers import datafolder
from gameserver.times import rfc3339
from tests.stack.backups.conftest import Kept


class Killed(BaseException):
    """The end of a process, where it is."""


def killed(*_: object) -> None:
    raise Killed


async def _placed(kept: Kept) -> None:
    """Restored data waits for the next start."""
    chosen, _ = await kept.restored()
    with making.locked(kept.catalog):
        assert not await placing.put_in_place(kept.place, kept.restoring, kept.catalog, chosen, kept.programs)


async def test_restored_data_that_a_killed_restore_was_removing_is_taken_by_no_start(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.write(1)
    await kept.back_up()
    await _placed(kept)
    await kept.write(2)

    def half(folder: Path, **_: object) -> None:
        for path in (folder / "base").iterdir():
            path.rename(folder / path.name)
        raise Killed

    chosen, _ = await kept.restored()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", half)
        with pytest.raises(Killed):
            await placing.put_in_place(kept.place, kept.restoring, kept.catalog, chosen, kept.programs)
    await kept.restart()
    assert await kept.values() == [1, 2]
    await _placed(kept)
    assert not list(kept.server.data.parent.glob("*.dropped"))


async def test_restored_data_that_isnt_whole_is_taken_by_no_start(kept: Kept) -> None:
    await kept.write(1)
    await kept.back_up()
    await _placed(kept)
    (datafolder.restored_beside(kept.server.data) / "global" / "pg_control").unlink()
    await kept.server.stop()
    with pytest.raises(StackError, match="has no global/pg_control: move it away"):
        await kept.server.start()


async def test_a_timeline_that_never_got_its_place_isnt_chosen_after_the_data_is_lost(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.back_up()
    moment = await kept.write(1)
    await kept.write(2)
    with monkeypatch.context() as patch:
        patch.setattr(datafolder, "drop_restored", killed)
        with pytest.raises(Killed):
            await kept.restore(moment)
    await kept.write(3)
    assert await received("one", kept.receiver.url, 30)
    kept.lose_disk()
    await kept.restore(None, received_first=False)
    assert await kept.values() == [1, 2, 3]


async def test_a_beginning_whose_restore_was_killed_after_it_took_place_is_kept_by_the_next(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.back_up()
    moment = await kept.write(1)
    await kept.write(2)
    rename = datafolder.put_in_place

    def killed_behind(made: Path, folder: Path) -> None:
        rename(made, folder)
        if folder.name.endswith(".restored"):
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(datafolder, "put_in_place", killed_behind)
        with pytest.raises(Killed):
            await kept.restore(moment)
    await kept.restart()
    assert await kept.values() == [1]
    await kept.write(3)
    await kept.restore(None)
    assert await kept.values() == [1, 3]


async def test_without_data_pasts_that_part_are_refused_until_one_is_named(kept: Kept) -> None:
    await kept.back_up()
    moment = await kept.write(1)
    await kept.write(2)
    await kept.restore(moment)
    await kept.write(3)
    assert await received("one", kept.receiver.url, 30)
    assert plan(kept.catalog, None, kept.place.present(kept.programs), None).timeline == 2
    assert newest(kept.catalog).timeline == 2
    kept.lose_disk()
    with pytest.raises(StackError, match=r"--timeline\. The timelines.*: 1 \(.*\), 2 \(.*\)"):
        await kept.restore(None, received_first=False)
    await kept.restore(None, received_first=False, timeline=2)
    assert await kept.values() == [1, 3]


async def test_without_data_a_past_that_holds_the_other_is_taken(kept: Kept) -> None:
    await kept.back_up()
    await kept.write(1)
    await kept.restore(None)
    await kept.write(2)
    assert await received("one", kept.receiver.url, 30)
    kept.lose_disk()
    await kept.restore(None, received_first=False)
    assert await kept.values() == [1, 2]


async def test_a_present_that_doesnt_end_is_told_of_with_what_waits_for_its_next_start(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.back_up()
    monkeypatch.setattr(placing, "END_SECONDS", 0.3)
    up = FolderLock(kept.place.up_lock)
    assert up.acquire()
    pid = kept.server.process.pid
    assert pid is not None
    chosen, _ = await kept.restored()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StackError, match=r"took longer than 0\.3 s(.*\n)+.*waits in .*one\.restored.* takes it"):
            await placing.put_in_place(kept.place, kept.restoring, kept.catalog, chosen, kept.programs)
    finally:
        os.kill(pid, signal.SIGCONT)
        up.release()
    assert datafolder.restored_beside(kept.server.data).exists()


async def test_who_restores_is_told_what_to_do_before_the_data_takes_its_place_and_when_it_is_interrupted(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.back_up()
    chosen, _ = await kept.restored()
    waiting, told = datafolder.restored_beside(kept.server.data), list[tuple[bool, str]]()
    up = FolderLock(kept.place.up_lock)
    assert up.acquire()
    monkeypatch.setattr(placing, "_end", killed)

    def tell(text: str) -> None:
        told.append((waiting.exists(), text))

    closed = ClosedDatabase(kept.place, kept.programs)
    with making.locked(kept.catalog), pytest.raises(Killed):
        await restoring.put_in_place(closed, kept.restoring, kept.catalog, chosen, tell)
    up.release()
    by_hand = f"`gameserver backups reconcile --database one --since {rfc3339(chosen.backup.ended_at)} --reason …`"
    assert [(there, str(waiting) in text and by_hand in text) for there, text in told] == [(False, True), (True, True)]
