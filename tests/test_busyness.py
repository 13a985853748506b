"""How busy a process is: what it runs, and what it waits for its turn."""

import time
from pathlib import Path

import pytest

from gameserver import busyness
from gameserver.busyness import LEAST_SECONDS, LONGEST_SECONDS, Busyness


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


def test_what_was_long_ago_says_nothing_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 100.0, 100.05])
    now = iter([0.0, LONGEST_SECONDS + 1, LONGEST_SECONDS + 1 + 2 * LEAST_SECONDS])
    monkeypatch.setattr(busyness, "_busy_seconds", lambda: next(seconds))
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    busy = Busyness()
    assert busy.share() == 0, "a reading of what was between two that are far apart isn't one of the present"
    assert 0 < busy.share() < 0.5
