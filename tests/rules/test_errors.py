"""The tree of errors: codes that clients can tell apart."""

from collections.abc import Iterator
from inspect import getdoc

import gameserver.rules.errors as errors
from gameserver.rules.errors import BadInput, FieldProblem, GameError, Internal, Overloaded, Refused, RuleBroken


def _below(kind: type[GameError]) -> Iterator[type[GameError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _tree() -> list[type[GameError]]:
    return [each for each in _below(GameError) if each.__module__ == errors.__name__]


def test_every_kind_but_a_broken_rule_has_a_code_of_its_own():
    codes = [each.code for each in _tree() if each is not RuleBroken]
    assert len(codes) == len(set(codes))


def test_the_drawing_shows_every_kind_with_its_code():
    drawing = errors.__doc__ or ""
    assert all(f"{each.__name__} {each.code}" in drawing for each in _tree() if each is not Refused)


def test_every_kind_is_described_for_people():
    assert all(getdoc(each) and each.sentence.endswith(".") for each in _tree())


def test_an_error_without_details_says_its_sentence():
    error = Overloaded(retry_after=0.5)
    assert (error.detail, str(error), error.retry_after) == (Overloaded.sentence, Overloaded.sentence, 0.5)


def test_two_errors_share_no_lists():
    one, other = BadInput(), BadInput()
    one.errors.append(FieldProblem("name", "is empty"))
    one.extra["seen"] = True
    assert other.errors == []
    assert other.extra == {}


def test_a_refusal_carries_the_code_of_its_rule():
    refusal = Refused("full_hp", "The player is at full HP.")
    assert (refusal.code, refusal.detail, Refused.code) == ("full_hp", "The player is at full HP.", "refused")


def test_a_broken_rule_tells_the_log_and_not_the_client():
    error = RuleBroken("action 'pray': hp 12.5")
    assert str(error) == error.fault == "action 'pray': hp 12.5"
    assert (error.code, error.detail) == ("internal", Internal.sentence)
