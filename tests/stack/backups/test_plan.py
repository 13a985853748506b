"""Which backup a moment is restored from, and which moments can't be; without a server."""

import re
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from gameserver.stack.backups.catalog import FACTS, BackupCatalog
from gameserver.stack.backups.plan import Present, newest, plan
from gameserver.stack.errors import StackError
from tests.stack.backups.conftest import NOON, Add, log
from tests.stack.backups.test_log_archive import segment


def test_the_newest_backup_before_the_moment_counts(catalog: BackupCatalog, add: Add) -> None:
    first, second = add(0, 2), add(10, 5)
    log(catalog, *(segment(1, number) for number in range(2, 9)))
    assert plan(catalog, NOON + timedelta(minutes=9), None, None).backup == first
    assert plan(catalog, NOON + timedelta(minutes=10), None, None).backup == second
    assert plan(catalog, None, None, None).backup == second
    with pytest.raises(StackError, match="before the oldest backup of one"):
        plan(catalog, NOON - timedelta(seconds=1), None, None)


def test_backups_of_a_past_that_was_given_up_dont_count(catalog: BackupCatalog, add: Add) -> None:
    first = add(0, 2)
    add(10, 5)
    folder = log(catalog, *(segment(1, number) for number in range(2, 7)), segment(2, 4))
    (folder / "00000002.history").write_text("1\t0/4000100\tno reason\n")
    present = Present("7", 2)
    assert plan(catalog, None, present, None).backup == first
    assert plan(catalog, None, present, 1).backup.end > first.end
    with pytest.raises(StackError, match="no timeline 3"):
        plan(catalog, None, present, 3)


def test_log_with_a_gap_isnt_taken_to_its_end(catalog: BackupCatalog, add: Add) -> None:
    backup = add(0, 2)
    log(catalog, segment(1, 2), segment(1, 3), segment(1, 5))
    with pytest.raises(StackError, match="a gap behind the segment 3"):
        plan(catalog, None, None, None)
    assert plan(catalog, NOON + timedelta(minutes=1), None, None).backup == backup


def test_backups_of_another_system_or_database_are_refused(catalog: BackupCatalog, add: Add, tmp_path: Path) -> None:
    add(0, 2)
    with pytest.raises(StackError, match="another database"):
        plan(catalog, None, Present("8", 1), None)
    with pytest.raises(StackError, match="of the database one, not of two"):
        plan(BackupCatalog("two", tmp_path), None, None, None)
    with pytest.raises(StackError, match="no backup of three"):
        plan(BackupCatalog("three", tmp_path / "three"), None, None, None)


def test_without_data_that_says_which_of_several_systems_counts_one_is_named(catalog: BackupCatalog, add: Add) -> None:
    real, anew = add(0, 2), add(10, 2, system="8")
    ends = f"7 ({real.ended_at.isoformat()}), 8 ({anew.ended_at.isoformat()})"
    for unknown in (None, "9"):
        with pytest.raises(StackError, match=f"with --system.*{re.escape(ends)}"):
            plan(catalog, None, None, None, unknown)
    assert plan(catalog, None, None, None, "7").backup == real
    assert plan(catalog, None, None, None, "8").backup == anew
    assert plan(catalog, None, Present("7", 1), None).backup == real
    with pytest.raises(StackError, match="data of one is of 8: they are of another database"):
        plan(catalog, None, Present("8", 1), None, "7")
    with pytest.raises(StackError, match=r"before the oldest backup of one.*of other systems, too.*--system"):
        plan(catalog, NOON + timedelta(minutes=5), Present("8", 1), None)
    assert newest(catalog).backup == anew


def test_a_backup_whose_facts_are_truncated_is_refused(catalog: BackupCatalog, add: Add) -> None:
    facts = catalog.data(add(0, 2)).parent / FACTS
    facts.write_bytes(facts.read_bytes()[:-20])
    with pytest.raises(StackError, match="can't be read"):
        catalog.backups()


def test_a_damaged_history_is_refused(catalog: BackupCatalog, add: Add) -> None:
    add(0, 2)
    (log(catalog) / "00000002.history").write_text("nonsense")
    with pytest.raises(StackError, match="history of the timeline 2"):
        plan(catalog, None, None, None)


@pytest.mark.parametrize(
    "fault",
    [{"size": "large"}, {"ended_at": "2026-11-28T12:00:00"}, {"segment": None}],
    ids=["a size that is none", "a time without a zone", "no segment"],
)
def test_facts_that_are_none_are_named_and_never_counted(
    catalog: BackupCatalog, add: Add, fault: dict[str, object]
) -> None:
    facts = catalog.data(add(0, 2)).parent / FACTS
    facts.write_bytes(orjson.dumps({**orjson.loads(facts.read_bytes()), **fault}))
    with pytest.raises(StackError, match=f"its {FACTS} can't be read"):
        catalog.backups()
