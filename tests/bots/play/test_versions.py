"""A read that allows an age is judged by what was known so long before."""

from bots.play.record import BotRecord
from bots.play.versions import LONGEST_AGE, KnownVersions
from bots.wire.bodies import State


def test_what_was_known_at_a_moment_is_the_newest_version_seen_until_then() -> None:
    known = KnownVersions()
    assert known.at(5) == 0
    for version, moment in ((1, 10), (3, 12), (2, 13), (4, 14)):
        known.note(version, moment)
    assert [known.at(moment) for moment in (9.9, 10, 11.9, 12, 13.9, 14, 99)] == [0, 1, 1, 3, 3, 4, 4]


def test_what_no_read_may_be_compared_with_is_forgotten() -> None:
    known = KnownVersions()
    for version in range(1, 1001):
        known.note(version, float(version))
    assert known.at(1000 - LONGEST_AGE) == 1000 - LONGEST_AGE
    assert known.at(1000 - 2 * LONGEST_AGE) == 0


def test_a_read_older_than_its_age_allows_is_a_fault() -> None:
    record = BotRecord()
    record.signed_up("key", "7", state(3))
    record.read_back(state(3), record.versions.at(float("inf")), 2)
    assert record.faults() == []
    record.read_back(state(2), record.versions.at(float("inf")), 2)
    assert record.faults() == ["a read returned version 2 after version 3 had been answered 2 s and more before it"]


def state(version: int) -> State:
    return State(version, "warrior", 1, 10, 10, 0)
