"""How busy a process is: what it runs, and what it waits for its turn."""

import time
from pathlib import Path

import pytest

from gameserver import busyness
from gameserver.busyness import LEAST_SECONDS, Busyness


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.mark.parametrize("schedstat", [busyness.SCHEDSTAT, Path("/nowhere")])
def test_a_process_that_runs_is_busy_and_one_that_sleeps_less_and_less(
    schedstat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(busyness, "SCHEDSTAT", schedstat)
    busy = Busyness()
    for _ in range(8):
        spin(1.5 * LEAST_SECONDS)
        busy.share()
    ran = busy.share()
    assert 0 < ran < 1.1
    for _ in range(8):
        time.sleep(1.5 * LEAST_SECONDS)
        busy.share()
    assert busy.share() < ran


def test_after_a_long_time_nothing_earlier_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, now = iter([0.0, 0.06, 0.07, 0.07 + 1.0]), iter([0.0, 0.06, 1.06, 11.06])
    monkeypatch.setattr(busyness, "_busy_seconds", lambda: next(seconds))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    busy = Busyness()
    assert busy.share() == pytest.approx(busyness.NEWEST)
    assert busy.share() == pytest.approx(0.01)
    assert busy.share() == pytest.approx(0.1)
