"""What comes again and again is told once, then with a count, and its end is told."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import structlog

from gameserver.logs import outage, repeats
from gameserver.logs.outage import Outage
from gameserver.logs.repeats import Repeats
from tests.support.wait import wait_until


class Log:
    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []
        self._repeats = Repeats(lambda event, fields: self.lines.append({"event": event, **fields}))

    def write(self, level: str, event: str, **fields: Any) -> None:
        with contextlib.suppress(structlog.DropEvent):
            self.lines.append(self._repeats(None, level, {"event": event, **fields}))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setattr(repeats, "QUIET_SECONDS", 1.0)
    monkeypatch.setattr(repeats, "FIRST_SECONDS", 0.1)
    return Log()


async def test_a_flood_is_one_line_then_counts_at_growing_intervals_then_its_end(log: Log) -> None:
    written = 0
    for _ in range(100):
        log.write("warning", "the map can't be followed", error="ConnectionError: refused", database="two")
        written += 1
        await asyncio.sleep(0.01)
    first, *again = log.lines
    assert "times" not in first
    assert 1 <= len(again) <= 5
    assert all(line["times"] > 1 for line in again)
    await wait_until(lambda: log.lines[-1]["event"] == "over", 20)
    over = {name: value for name, value in log.lines[-1].items() if name != "for_seconds"}
    assert over == {"event": "over", "was": "the map can't be followed", "database": "two", "times": written}
    assert log.lines[-1]["for_seconds"] >= 0.9


async def test_kinds_are_told_apart_by_database_and_cause(log: Log) -> None:
    for _ in range(3):
        for database in ("one", "two"):
            for error in ("ConnectionError: refused", "InvalidPasswordError: no"):
                log.write("warning", "away", database=database, error=error)
    assert len(log.lines) == 4


async def test_one_warning_has_no_end(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "QUIET_SECONDS", 0.1)
    log.write("warning", "slow")
    await asyncio.sleep(0.3)
    assert log.lines == [{"event": "slow"}]


async def test_our_errors_are_never_held_back_but_those_of_libraries_are(log: Log) -> None:
    for _ in range(3):
        log.write("error", "a request failed")
    for _ in range(3):
        log.write("error", "Task exception was never retrieved", logger="asyncio")
    assert [line["event"] for line in log.lines] == [*["a request failed"] * 3, "Task exception was never retrieved"]


async def test_kinds_without_number_take_bounded_memory(log: Log) -> None:
    for number in range(2 * repeats.KINDS):
        log.write("warning", f"kind {number}")
    assert len(log._repeats._courses) == repeats.KINDS


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[structlog.typing.EventDict]]:
    monkeypatch.setattr(outage, "SETTLED_SECONDS", 0.2)
    with structlog.testing.capture_logs() as captured:
        yield captured


async def test_an_outage_has_one_beginning_and_one_end(events: list[structlog.typing.EventDict]) -> None:
    redis = Outage("Redis can't be used", "Redis can be used again", place="here")
    for _ in range(5):
        redis.failed("ConnectionError: refused")
        await asyncio.sleep(0.02)
    redis.answered()
    redis.failed("ConnectionError: refused")
    assert redis.lasts
    redis.answered()
    redis.answered()
    await wait_until(lambda: not redis.lasts, 20)
    assert [event["event"] for event in events] == ["Redis can't be used", "Redis can be used again"]
    assert (events[0]["error"], events[0]["place"]) == ("ConnectionError: refused", "here")
    assert (events[1]["times"], events[1]["place"]) == (6, "here")
    assert 0.1 <= events[1]["for_seconds"] < 30


async def test_what_answers_has_no_outage_to_tell(events: list[structlog.typing.EventDict]) -> None:
    Outage("away", "back").answered()
    await asyncio.sleep(0.3)
    assert events == []
