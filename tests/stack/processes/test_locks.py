"""The lock of a folder, whose file may be removed by the one that has it."""

import fcntl
from pathlib import Path

import pytest

from gameserver.stack.processes.lock import FolderLock


def test_a_file_that_is_removed_while_it_is_waited_for_locks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, later, third = (FolderLock(tmp_path / "lock") for _ in range(3))
    assert former.acquire()
    lock = fcntl.flock

    def removed_before(descriptor: int, how: int) -> None:
        former.remove()
        lock(descriptor, how)

    with monkeypatch.context() as amid:
        amid.setattr(fcntl, "flock", removed_before)
        assert not later.acquire()
    assert later.acquire()
    assert not third.acquire()
    third.remove()
    assert (tmp_path / "lock").exists(), "it is another one's"
    later.remove()
    assert not (tmp_path / "lock").exists()
