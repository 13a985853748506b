"""The figures of what players noticed: pauses, connections over time, interruptions, and what counts as an error."""

from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.count.series import Series, Tenth
from bots.count.tally import Tally
from bots.report import disturbances
from bots.wire.backoff import Backoff
from bots.wire.interruptions import LOST, SENT_AWAY, Interruption
from tests.support.wait import wait_until


def playing() -> Tally:
    tally = Tally()
    tally.start(0.0)
    return tally


@given(st.integers())
def test_a_pause_stays_within_a_limit_that_doubles_up_to_the_longest(seed: int) -> None:
    backoff = Backoff(Random(seed), 1.0, 4.0)
    for limit in (1, 2, 4, 4, 4):
        assert 0 <= backoff.next() <= limit
    backoff.reset()
    assert backoff.next() <= 1


def test_first_pauses_of_many_are_spread_over_their_whole_range() -> None:
    pauses = [Backoff(Random(seed), 1.0, 4.0).next() for seed in range(1000)]
    assert all(50 < sum(low <= pause * 10 < low + 1 for pause in pauses) < 150 for low in range(10))


def test_the_worst_second_is_the_one_with_the_most_attempts() -> None:
    series = Series()
    for at in (0.05, 3.0, 5.21, 5.25, 6.18, 6.9):
        series.attempted(at)
    series.succeeded(5.3)
    assert series.worst_second() == 52
    assert series.around_worst(0)[:2] == [Tenth(5.2, 2, 0), Tenth(5.3, 0, 1)]
    assert sum(tenth.attempts for tenth in series.all()) == series.attempts() == 6


def test_a_series_without_connections_is_empty() -> None:
    assert (Series().all(), Series().worst_second()) == ([], 0)


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


async def test_an_interruption_ends_with_the_next_acknowledged_action() -> None:
    tally = playing()
    interruption = Interruption(tally)
    interruption.acknowledged()
    assert tally.interruptions == {}
    interruption.begin(LOST)
    interruption.begin(SENT_AWAY)
    interruption.acknowledged()
    interruption.acknowledged()
    assert {cause: lengths.count for cause, lengths in tally.interruptions.items()} == {LOST: 1}


async def test_an_action_under_way_when_the_player_is_sent_away_does_not_end_its_interruption() -> None:
    tally = playing()
    interruption = Interruption(tally)
    interruption.begin(SENT_AWAY)
    interruption.acknowledged()
    assert tally.interruptions == {}
    interruption.arrived()
    interruption.acknowledged()
    await wait_until(lambda: SENT_AWAY in tally.interruptions, what="it has ended")


async def test_a_connection_lost_before_the_play_is_no_interruption() -> None:
    tally = Tally()
    interruption = Interruption(tally)
    interruption.begin(LOST)
    tally.start(0.0)
    interruption.acknowledged()
    assert tally.interruptions == {}
