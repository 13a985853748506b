"""What decides the exit code, and the figures that a stall must not hide in."""

import asyncio

import pytest

from bots.count.tally import Tally
from bots.play.swarm import Plan, Swarm
from bots.proof.outcome import Outcome
from bots.proof.standings import BoardVerdict
from bots.proof.verdict import Verdict
from bots.report.report import as_json

CLEAN, FAULTY = Verdict(), Verdict(lost=["a command"])
EQUAL, DIFFERENT = BoardVerdict("exp"), BoardVerdict("exp", differences=["7 is missing on the board"])


def outcome(verdicts: list[Verdict], boards: list[BoardVerdict] | None, failure: str = "") -> Outcome:
    swarm = Swarm(Plan(1, 1.0, 0.5, 5.0, 1, "bot"), Tally(), asyncio.Event())
    return Outcome(swarm, verdicts, boards, failure)


@pytest.mark.parametrize(
    ("verdicts", "boards", "failure", "ok"),
    [
        ([CLEAN], [EQUAL], "", True),
        ([CLEAN], None, "", True),
        ([], [EQUAL], "", False),
        ([CLEAN, FAULTY], [EQUAL], "", False),
        ([CLEAN], [EQUAL, DIFFERENT], "", False),
        ([CLEAN], None, "no answer", False),
    ],
)
def test_a_run_is_well_only_if_every_proof_is(
    verdicts: list[Verdict], boards: list[BoardVerdict] | None, failure: str, *, ok: bool
) -> None:
    found = outcome(verdicts, boards, failure)
    assert (found.ok, as_json(found)["ok"]) == (ok, ok)


def test_boards_that_were_left_out_are_not_reported_as_proved() -> None:
    assert as_json(outcome([CLEAN], None))["proof"]["boards_proved"] is False


def test_latency_runs_from_the_planned_moment() -> None:
    tally = Tally()
    for planned in range(10):
        tally.acknowledge("hunt", float(planned), 10.0)
    histogram = tally.latencies["hunt"]
    assert histogram.get_max_value() == pytest.approx(10_000_000, rel=0.01)
    assert histogram.get_value_at_percentile(50) == pytest.approx(5_000_000, rel=0.01)


def test_the_longest_gap_counts_the_silence_at_either_end() -> None:
    tally = Tally()
    tally.acknowledge("sign_up", 0.0, 5.0)
    tally.start(10.0)
    tally.acknowledge("hunt", 10.0, 13.0)
    tally.acknowledge("hunt", 13.0, 14.0)
    tally.finish(19.0)
    tally.acknowledge("hunt", 18.0, 90.0)
    assert (tally.longest_gap, tally.in_time) == (5.0, 2)


def test_the_last_second_is_forgotten_once_read() -> None:
    tally = Tally()
    tally.answered("read", 0.0, 0.5)
    assert tally.last_p99() == pytest.approx(0.5, rel=0.01)
    assert tally.last_p99() == 0.0
