"""Which rulebook is in force at a moment, and which one judges what a database has in force."""

from datetime import UTC, datetime, timedelta

from gameserver.rules.differences import differences
from gameserver.rules.editions import ALWAYS, FIRST, Edition, RulesInForce
from gameserver.rules.rulebook import Rulebook
from tests.rules.samples import mapping

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def edition(number: int, at: datetime) -> Edition:
    return Edition(number, at, Rulebook.parse(mapping()))


def test_an_edition_is_in_force_from_its_moment_on_and_the_present_one_never_goes_back() -> None:
    rules, first, second = RulesInForce(edition(FIRST, ALWAYS)), edition(1, NOON), edition(2, NOON + SECOND)
    rules.load(first)
    rules.load(second)
    assert [rules.at(NOON + offset).number for offset in (-SECOND, 0 * SECOND, SECOND)] == [0, 1, 2]
    assert rules.edition.number == 0
    rules.advance(NOON + SECOND)
    rules.advance(NOON)
    assert rules.rulebook is second.rulebook


def test_nothing_is_judged_under_an_edition_that_isnt_loaded_or_behind_one_that_is_known() -> None:
    rules, first = RulesInForce(edition(FIRST, ALWAYS)), edition(1, NOON)
    before = rules.rulebook
    assert rules.judging(1, NOON) is None
    rules.load(first)
    assert rules.judging(0, NOON - SECOND) is before
    assert rules.edition.number == 0
    assert rules.judging(0, NOON) is None
    assert rules.judging(1, NOON - SECOND) is first.rulebook
    assert rules.edition.number == 1
    assert rules.judging(0, NOON - SECOND) is before


def test_an_edition_that_is_cancelled_is_forgotten_unless_it_is_in_force() -> None:
    rules = RulesInForce(edition(FIRST, ALWAYS))
    rules.load(edition(1, NOON))
    rules.drop(1)
    assert rules.at(NOON).number == 0
    rules.drop(0)
    assert rules.numbers() == [0]


def test_values_that_differ_are_named_by_their_path() -> None:
    found = differences({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1, "c": [2]}, "e": 0})
    assert found == [("a.c", [1], [2]), ("d", 2, None), ("e", None, 0)]
