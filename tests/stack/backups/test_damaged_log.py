"""Log that was kept and can't be read is never taken for its end: the restore fails, and nothing changes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gameserver.stack.backups import kept_log, making
from gameserver.stack.backups.log_archive import LogArchive, Span, spans_of
from gameserver.stack.backups.plan import newest, plan
from gameserver.stack.backups.receiver import received
from gameserver.stack.backups.restoring import restored
from gameserver.stack.errors import StackError
from tests.stack.backups.conftest import Kept
from tests.stack.backups.test_log_archive import SEGMENT, keep, segment

PAGE = 8192
FILLING = "pg_logical_emit_message(true, 'x', repeat('x', 9000))"
Damage = Callable[[Path], None]


def zeroed(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // PAGE * PAGE)
        file.write(bytes(PAGE))


def closed(path: Path) -> None:
    path.chmod(0)


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 1 << 20])


async def _segments_of_log(kept: Kept) -> list[Path]:
    """Whole segments behind a backup, with what was written in each."""
    backup = await kept.back_up()
    for value in range(3):
        await kept.write(value)
        await kept.ask(f"select count({FILLING}) from generate_series(1, 1900)")
    assert await received("one", kept.receiver.url, 30)
    (folder,) = kept.catalog.log_folders(backup.system)
    return sorted(path for path in folder.iterdir() if len(path.name) == 24)[-3:]


def _nothing_waits(kept: Kept) -> bool:
    return not list(kept.server.data.parent.glob("one.*restor*/"))


async def _read(kept: Kept) -> None:
    with making.locked(kept.catalog) as lock:
        await kept_log.read_records(newest(kept.catalog), kept.programs, lock)


@pytest.mark.family(2)
@pytest.mark.parametrize(
    ("number", "damage", "said"),
    [
        (1, zeroed, r"damaged: it can't be read behind .* goes on to"),
        (2, zeroed, r"damaged: it can't be read behind .* goes on to"),
        (1, closed, "Permission denied"),
        (1, shortened, "has 1048576 bytes of 16777216"),
        (2, shortened, "has 1048576 bytes of 16777216"),
    ],
    ids=["zeroed", "the last one zeroed", "unreadable", "shortened", "the last one shortened"],
)
async def test_a_segment_that_cant_be_read_isnt_the_end_of_the_log(
    kept: Kept, number: int, damage: Damage, said: str
) -> None:
    segments = await _segments_of_log(kept)
    await _read(kept)
    damage(segments[number])
    with pytest.raises(StackError, match=r"kept .*is damaged"):
        await _read(kept)
    with pytest.raises(StackError, match=said):
        await kept.restore(None)
    assert await kept.values() == [0, 1, 2]
    assert _nothing_waits(kept)


def test_log_that_is_read_stays_when_the_receiver_completes_its_last_segment(tmp_path: Path) -> None:
    partial = keep(tmp_path / "1", segment(1, 3) + ".partial", content="part") / (segment(1, 3) + ".partial")
    with kept_log.linked(LogArchive.read([tmp_path / "1"], SEGMENT), None) as folder:
        partial.rename(partial.with_suffix(""))
        assert (folder / segment(1, 3)).read_text() == "part"


async def test_a_segment_that_the_receiver_completes_meanwhile_is_replayed(kept: Kept) -> None:
    await kept.back_up()
    await kept.write(1)
    assert await received("one", kept.receiver.url, 30)
    chosen = plan(kept.catalog, None, None, None)
    segments = chosen.archive.segments([Span(1, None)])
    await kept.ask(f"select count({FILLING}) from generate_series(1, 1900)")
    assert await received("one", kept.receiver.url, 30)
    assert not segments[max(segments)].exists(), "the last one has another name now"
    await restored(chosen, [kept.catalog.data(chosen.backup)], kept.restoring, kept.server.log, kept.expected())
    (span, *_) = spans_of((kept.restoring / "pg_wal" / "00000002.history").read_text())
    assert span.end is not None
    assert span.end > (max(segments) + 0.9) * chosen.archive.segment
