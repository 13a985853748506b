"""Which backups go: of each past those that none of its kept moments needs; without a server."""

import os
import random
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gameserver.config.backups import BackupSettings
from gameserver.stack.backups.catalog import FACTS, BackupCatalog
from gameserver.stack.backups.plan import Present, plan
from gameserver.stack.backups.retention import expire
from gameserver.stack.errors import StackError
from tests.stack.backups.conftest import NOON, Add, log
from tests.stack.backups.test_log_archive import SEGMENT, keep, segment

DAY = timedelta(days=1)
MINUTES = 24 * 60


def log_of(catalog: BackupCatalog, at: datetime, *names: str) -> Path:
    folder = log(catalog, *names)
    for name in names:
        os.utime(folder / name, (at.timestamp(), at.timestamp()))
    return folder


@pytest.mark.parametrize("seed", range(8))
def test_every_moment_that_is_kept_is_restored_from_the_same_backup_and_log_as_before(
    catalog: BackupCatalog, add: Add, seed: int
) -> None:
    dice = random.Random(seed)
    ends = sorted(dice.sample(range(14 * MINUTES), 9))
    backups = [add(minutes, number) for number, minutes in enumerate(ends, 2)]
    now, keep, last = NOON + 14 * DAY, DAY * dice.randrange(1, 13), len(ends) + 3
    log_of(catalog, now, *(segment(1, number) for number in range(2, last)))
    kept = [now - keep, *(backup.ended_at for backup in backups if backup.ended_at > now - keep), now]
    kept = [moment for moment in kept if moment >= backups[0].ended_at]

    def needed() -> list[tuple[str, list[bool]]]:
        """The backup that each moment is restored from, and whether the log from there on is whole."""
        plans = [plan(catalog, moment, Present("7", 1), None) for moment in kept]
        firsts = [each.backup.start // SEGMENT for each in plans]
        log = catalog.folder / "wal" / "7" / "0001"
        there = [[(log / segment(1, number)).exists() for number in range(first, last)] for first in firsts]
        return [(each.backup.id, each_there) for each, each_there in zip(plans, there, strict=True)]

    before = needed()
    expired = expire(catalog, now, keep, 1)
    assert needed() == before
    assert all(all(whole) for _, whole in before)
    assert len(expired) == max(sum(end <= now - keep for end in (each.ended_at for each in backups)) - 1, 0)


def test_a_backup_of_a_past_that_was_given_up_doesnt_stand_for_the_one_that_kept_moments_need(
    catalog: BackupCatalog, add: Add
) -> None:
    oldest, base = add(0, 2), add(MINUTES, 3)
    given_up = add(3 * MINUTES, 9, timeline=2)
    third = add(10 * MINUTES, 7, timeline=3)
    folder = log_of(catalog, NOON + 3 * DAY, segment(1, 3), segment(1, 4), segment(2, 4), segment(2, 9))
    log_of(catalog, NOON + 10 * DAY, segment(3, 5), segment(3, 7))
    (folder / "00000002.history").write_text("1\t0/4000100\tno reason\n")
    (folder / "00000003.history").write_text("1\t0/5000100\tno reason\n")
    # Half a day back on the present past, only the base of the first timeline leads there.
    assert expire(catalog, third.ended_at, DAY / 2, 1) == [given_up, oldest]
    assert catalog.backups() == [third, base]
    assert (folder / segment(1, 3)).exists()


def test_a_past_that_was_given_up_a_moment_ago_stays(catalog: BackupCatalog, add: Add) -> None:
    base, given_up, present = add(0, 2), add(60, 6), add(120, 7, timeline=2)
    folder = log_of(catalog, NOON + timedelta(minutes=100), segment(1, 3), segment(1, 6))
    log_of(catalog, NOON + timedelta(minutes=120), segment(2, 4), segment(2, 7))
    (folder / "00000002.history").write_text("1\t0/4000100\tno reason\n")
    assert expire(catalog, present.ended_at, timedelta(minutes=30), 1) == []
    assert catalog.backups() == [present, given_up, base]


def test_a_backup_of_a_clock_that_was_ahead_deletes_nothing_and_stays(catalog: BackupCatalog, add: Add) -> None:
    first, second, third = add(0, 2), add(MINUTES, 3), add(2 * MINUTES, 4)
    ahead = add(400 * MINUTES, 5)
    log_of(catalog, NOON + 2 * DAY, *(segment(1, number) for number in range(2, 7)))
    assert expire(catalog, third.ended_at, 3 * DAY, 1) == []
    assert expire(catalog, third.ended_at, DAY / 2, 1) == [first]
    assert catalog.backups() == [ahead, third, second]


def test_log_of_a_system_that_has_no_backup_yet_stays(catalog: BackupCatalog, add: Add) -> None:
    backup = add(MINUTES, 2)
    log_of(catalog, NOON, segment(1, 3))
    for system, days in (("8", 0), ("9", 2)):
        folder = catalog.folder / "wal" / system / "0001"
        folder.mkdir(parents=True)
        (folder / segment(1, 1)).touch()
        at = (NOON + days * DAY).timestamp()
        os.utime(folder / segment(1, 1), (at, at))
    assert expire(catalog, backup.ended_at + DAY, DAY, 1) == []
    assert {path.name for path in (catalog.folder / "wal").iterdir()} == {"7", "9"}


@pytest.mark.parametrize("gone", [FACTS, "data"])
def test_a_backup_whose_deletion_was_killed_is_none(
    catalog: BackupCatalog, add: Add, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    first, second = add(0, 2), add(MINUTES, 3)
    catalog.data(first).mkdir()
    log(catalog)
    delete = shutil.rmtree

    def killed(folder: Path) -> None:
        path = folder / gone
        path.unlink() if path.is_file() else delete(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        expire(catalog, second.ended_at + DAY, timedelta(hours=1), 1)
    assert catalog.backups() == [second]
    assert [path.name for path in catalog.unfinished()] == [f"{first.id}.new"], "the next backup removes it"


def test_what_a_killed_restore_left_of_the_last_log_goes(catalog: BackupCatalog, add: Add) -> None:
    backup = add(0, 2)
    kept = log(catalog, segment(1, 3))
    left = [keep(catalog.folder / "wal" / "7" / "ending", segment(1, 4))]
    assert expire(catalog, backup.ended_at, DAY, 1) == []
    assert [path.exists() for path in (*left, kept / segment(1, 3))] == [False, True]


def test_nothing_is_deleted_while_a_history_is_damaged(catalog: BackupCatalog, add: Add) -> None:
    first, second = add(0, 2), add(MINUTES, 3)
    (log(catalog, segment(1, 3)) / "00000002.history").write_text("nonsense")
    with pytest.raises(StackError, match="history of the timeline 2"):
        expire(catalog, second.ended_at + DAY, timedelta(hours=1), 1)
    assert catalog.backups() == [second, first]


@pytest.mark.parametrize(("keep", "least"), [(3, 1), (3, 2), (1, 6)])
def test_what_is_erased_is_gone_from_all_backups_when_its_receipt_says(
    catalog: BackupCatalog, add: Add, keep: int, least: int
) -> None:
    backed_up = DAY.total_seconds()
    kept = BackupSettings(
        folder=catalog.folder, keep_seconds=int(keep * backed_up), least=least, old_seconds=int(backed_up)
    )
    has_it, erased_at = add(0, 2), NOON + timedelta(minutes=1)
    log_of(catalog, NOON, segment(1, 2))
    there = []
    for day in range(1, kept.stay // DAY + 1):
        made = add(day * (MINUTES - 1), day + 2)
        assert made.ended_at <= erased_at + kept.stay
        expire(catalog, made.ended_at, timedelta(seconds=kept.keep_seconds), least)
        there.append(has_it in catalog.backups())
    assert there == sorted(there, reverse=True)
    assert there[-2:] == [True, False], "it says no more than is needed"
