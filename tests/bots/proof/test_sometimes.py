"""A run that never saw what it was expected to see isn't proved."""

import asyncio

import pytest

from bots.count.tally import Tally
from bots.play.plan import SwarmPlan
from bots.play.swarm import Swarm
from bots.proof.letters import MailCounts
from bots.proof.players import PlayerVerdict
from bots.proof.result import RunResult
from bots.proof.sometimes import NAMES, sightings


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
