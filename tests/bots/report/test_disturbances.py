"""The figures of what players noticed: bars of connections, interruptions, and what counts as an error."""

import orjson
import pytest

from bots.count.series import Tenth
from bots.count.tally import Tally
from bots.report import disturbances
from bots.wire.interruptions import LOST


def test_bars_show_attempts_beyond_successes() -> None:
    first, second = disturbances.bars([Tenth(0.0, 40, 10), Tenth(0.1, 0, 0)])
    assert (first.count("█"), first.count("░")) == (10, 30)
    assert second.endswith("0, 0")


def test_the_report_is_json() -> None:
    tally = Tally()
    tally.again.attempted(1.0)
    tally.interrupted(LOST, 1.5)
    report = orjson.loads(orjson.dumps(disturbances.as_json(tally)))
    assert report["interruptions"][LOST]["max_seconds"] == pytest.approx(1.5, rel=0.01)
    assert report["connections"]["again"] == [[1.0, 1, 0]]
    assert report["saw_no_error"] is True


@pytest.mark.parametrize("counter", ["errors", "hurt"])
def test_any_error_is_seen(counter: str) -> None:
    tally = Tally()
    getattr(tally, counter)["disconnected"] += 1
    assert tally.errors_seen() == 1
    assert disturbances.as_json(tally)["saw_no_error"] is False
