"""Which of the kept log belongs to a past, and how far it goes without a gap."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameserver.stack.backups.log_archive import LogArchive, Span
from gameserver.stack.servers import datafolder

SEGMENT = 16 << 20


def keep(folder: Path, *names: str, content: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(content)
    return folder


def segment(timeline: int, number: int) -> str:
    return f"{timeline:08X}{number // 256:08X}{number % 256:08X}"


def read(*folders: Path) -> LogArchive:
    return LogArchive.read(folders, SEGMENT)


def test_a_whole_segment_counts_before_a_partial_one_and_of_two_partial_ones_the_newest(tmp_path: Path) -> None:
    older = keep(tmp_path / "1", segment(1, 3), segment(1, 4) + ".partial", content="older")
    newer = keep(tmp_path / "2", segment(1, 3) + ".partial", segment(1, 4) + ".partial", content="newer")
    os.utime(older / (segment(1, 4) + ".partial"), (1, 1))
    archive = read(older, newer)
    assert archive.files[segment(1, 3)].read_text() == "older"
    assert archive.files[segment(1, 4)].read_text() == "newer"


@pytest.mark.parametrize(("size", "counts"), [(0, False), (SEGMENT // 2, False), (SEGMENT, True)])
def test_a_partial_one_that_has_neither_log_nor_its_size_isnt_there(tmp_path: Path, size: int, counts: bool) -> None:
    kept = keep(tmp_path / "1", segment(1, 3), segment(1, 4) + ".partial", content="")
    (kept / (segment(1, 4) + ".partial")).write_bytes(bytes(size))
    assert (segment(1, 4) in read(kept).files) == counts


@pytest.mark.parametrize("content", ["", "\0" * (1 << 16)], ids=["empty", "zeros"])
def test_of_two_partial_ones_one_in_which_nothing_was_written_counts_last(tmp_path: Path, content: str) -> None:
    older = keep(tmp_path / "1", segment(1, 4) + ".partial", content="older")
    newer = keep(tmp_path / "2", segment(1, 4) + ".partial", content=content)
    os.utime(older / (segment(1, 4) + ".partial"), (1, 1))
    for folders in ((older, newer), (newer, older)):
        assert read(*folders).files[segment(1, 4)].parent == older


def test_what_isnt_log_is_left_out(tmp_path: Path) -> None:
    assert read(keep(tmp_path / "1", "backup_label", segment(1, 1) + ".tmp", "1.history")).files == {}


def test_log_goes_as_far_as_there_is_no_gap(tmp_path: Path) -> None:
    folder = keep(tmp_path / "1", *(segment(1, number) for number in (254, 255, 256, 257, 259)))
    past = [Span(1, None)]
    reach = read(folder).reach(254 * SEGMENT + 40, past)
    assert (reach.last, reach.gap) == (257, True)
    reach = read(folder).reach(259 * SEGMENT + 40, past)
    assert (reach.last, reach.gap) == (259, False)


def test_a_segment_of_which_only_a_part_is_there_has_a_gap_behind_it(tmp_path: Path) -> None:
    older = keep(tmp_path / "1", segment(1, 2), segment(1, 3), segment(1, 4) + ".partial", content="part")
    archive = read(older, keep(tmp_path / "2", segment(1, 5)))
    reach = archive.reach(2 * SEGMENT + 40, [Span(1, None)])
    assert (reach.last, reach.gap) == (4, True)
    keep(older, segment(1, 4))
    assert not read(older, tmp_path / "2").reach(2 * SEGMENT + 40, [Span(1, None)]).gap


@pytest.mark.parametrize(
    ("last", "gap"), [([segment(1, 5)], False), ([segment(1, 5) + ".partial"], True), ([], True)],
    ids=["whole", "a part", "missing"],
)  # fmt: skip
@pytest.mark.parametrize("behind", [6, None])
def test_log_behind_a_backups_last_segment_needs_all_of_that(
    tmp_path: Path, last: list[str], gap: bool, behind: int | None
) -> None:
    folder = keep(tmp_path / "1", *last, *([] if behind is None else [segment(1, behind)]), content="log")
    reach = read(folder).reach(5 * SEGMENT + 40, [Span(1, None)])
    assert (reach.last, reach.gap) == ((5, True) if gap and behind else (behind or 5, False))


def test_a_backup_without_log_behind_it_reaches_its_own_end(tmp_path: Path) -> None:
    reach = read(keep(tmp_path / "1", segment(1, 2))).reach(5 * SEGMENT, [Span(1, None)])
    assert (reach.last, reach.gap) == (5, False)


def test_log_behind_the_point_where_a_timeline_was_left_doesnt_count(tmp_path: Path) -> None:
    folder = keep(tmp_path / "1", *(segment(1, number) for number in (5, 6, 7, 8)), segment(2, 6))
    (folder / "00000002.history").write_text("1\t0/6000100\tno reason\n\n")
    archive = read(folder)
    past = archive.past(2)
    assert past == [Span(1, 0x6000100), Span(2, None)]
    assert archive.reach(5 * SEGMENT, past).last == 6
    assert archive.reach(5 * SEGMENT, archive.past(1)).last == 8
    assert archive.timelines() == {1, 2}


def test_a_garbled_history_is_refused(tmp_path: Path) -> None:
    folder = keep(tmp_path / "1", "00000002.history", content="one 0/0 x")
    with pytest.raises(ValueError):
        read(folder).past(2)


def test_older_segments_are_named_whatever_their_timeline(tmp_path: Path) -> None:
    folder = keep(tmp_path / "1", segment(1, 5), segment(2, 5), segment(2, 6), "00000002.history")
    assert {path.name for path in read(folder).older_than(6)} == {segment(1, 5), segment(2, 5)}


def test_positions_are_read_as_postgres_writes_them() -> None:
    assert datafolder.position_of("1/2A") == (1 << 32) + 42


def test_what_is_replayed_ends_with_the_first_segment_that_was_written_after_the_moment(tmp_path: Path) -> None:
    folder = keep(tmp_path / "1", *(segment(1, number) for number in range(3, 9)), segment(2, 7), segment(2, 8))
    for number in range(3, 9):
        os.utime(folder / segment(1, number), (number * 100, number * 100))
    past, end = [Span(1, None)], 4 * SEGMENT + 40
    assert read(folder).replayed(end, past, None) == 4 * SEGMENT
    assert read(folder).replayed(end, past, datetime.fromtimestamp(650, UTC)) == 3 * SEGMENT
    assert read(folder).replayed(end, past, datetime.fromtimestamp(1, UTC)) == SEGMENT
    assert read(folder).replayed(8 * SEGMENT, past, None) == 0
