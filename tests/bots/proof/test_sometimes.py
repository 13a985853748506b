"""A run that never saw what it was expected to see isn't proved."""

import asyncio

import pytest

from bots.count.tally import Tally
from bots.play.plan import SwarmPlan
from bots.play.record import BotRecord
from bots.play.swarm import Swarm
from bots.proof.invariants import ONCE
from bots.proof.letters import MailCounts
from bots.proof.players import PlayerVerdict, judge
from bots.proof.result import RunResult
from bots.proof.sometimes import NAMES, sightings
from bots.wire.bodies import State


@pytest.mark.parametrize(
    ("expected", "resumes", "is_ok"), [("a resume", 1, True), ("a resume", 0, False), ("", 0, True)]
)
def test_what_is_expected_must_be_seen(expected: str, resumes: int, is_ok: bool) -> None:
    tally = Tally()
    tally.happened["resumed"] = resumes
    result = RunResult(Swarm(SwarmPlan(1, 1.0, 0.0, 1.0, 1, "bot"), tally, asyncio.Event()), [PlayerVerdict()])
    result.sightings = sightings(tally, [], MailCounts(), {}, [expected] if expected else [])
    assert result.ok == is_ok
    assert [sighting.name for sighting in result.sightings] == list(NAMES)


def replays(record: BotRecord) -> int:
    """How often such a record shows a replay."""
    return {found.name: found.seen for found in sightings(Tally(), [record], MailCounts(), {})}["a replay"]


def test_a_sign_up_that_is_sent_again_is_no_replay_of_a_command() -> None:
    record, state = BotRecord(), State(1, "mage", 1, 9, 9, 0)
    record.signed_up("up", "7", state)
    record.sign_up_again(f"7, {state}")
    assert replays(record) == 0
    record.compare("a", {"replayed": False}, {"replayed": True})
    assert replays(record) == 1


@pytest.mark.parametrize(("answer", "checked"), [("name_taken", 1), ("banned", 0)])
def test_an_answer_that_says_only_who_the_player_is_now_compares_no_sign_up(answer: str, checked: int) -> None:
    record, state = BotRecord(), State(1, "mage", 1, 9, 9, 0)
    record.signed_up("up", "7", state)
    before = judge(record, state, []).checked[ONCE]
    record.sign_up_again(answer)
    assert judge(record, state, []).checked[ONCE] - before == checked
    assert len(record.disagreements) == checked
