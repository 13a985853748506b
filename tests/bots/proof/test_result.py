"""What decides the exit code, and the figures in which a stall of the server must show."""

import asyncio

import pytest

from bots.count.tally import OperationTiming, Tally
from bots.play.plan import SwarmPlan
from bots.play.swarm import Swarm
from bots.proof.boards import BoardVerdict
from bots.proof.players import PlayerVerdict
from bots.proof.result import RunResult
from bots.report.report import as_json

CLEAN, FAULTY = PlayerVerdict(), PlayerVerdict(lost=["a command"])
EQUAL, DIFFERENT = BoardVerdict("exp"), BoardVerdict("exp", differences=["7 is missing on the board"])


def run_result(verdicts: list[PlayerVerdict], boards: list[BoardVerdict] | None, failure: str = "") -> RunResult:
    swarm = Swarm(SwarmPlan(1, 1.0, 0.5, 5.0, 1, "bot"), Tally(), asyncio.Event())
    return RunResult(swarm, verdicts, boards, failure)


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
def test_a_run_is_ok_only_if_every_proof_is(
    verdicts: list[PlayerVerdict], boards: list[BoardVerdict] | None, failure: str, *, ok: bool
) -> None:
    result = run_result(verdicts, boards, failure)
    assert (result.ok, as_json(result)["ok"]) == (ok, ok)


def test_boards_that_were_left_out_are_not_reported_as_proved() -> None:
    assert as_json(run_result([CLEAN], None))["summary"]["proof"]["boards_proved"] is False


def test_latency_runs_from_the_planned_moment() -> None:
    tally = Tally()
    for planned in range(10):
        tally.acknowledge("hunt", OperationTiming(float(planned), 9.5), 10.0)
    latencies = tally.latencies["hunt"]
    assert latencies.longest() == pytest.approx(10, rel=0.01)
    assert latencies.at(50) == pytest.approx(5, rel=0.01)


def test_the_longest_gap_includes_the_time_at_either_end_of_the_play() -> None:
    tally = Tally()
    tally.acknowledge("sign_up", OperationTiming(0.0, 0.0), 5.0)
    tally.start(10.0)
    tally.acknowledge("hunt", OperationTiming(10.0, 10.0), 13.0)
    tally.acknowledge("hunt", OperationTiming(13.0, 13.0), 14.0)
    tally.finish(19.0)
    tally.acknowledge("hunt", OperationTiming(18.0, 18.0), 90.0)
    assert (tally.longest_gap, tally.acknowledged_in_time) == (5.0, 2)
