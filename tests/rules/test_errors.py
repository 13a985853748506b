"""The tree of errors: codes that clients can tell apart."""

from collections.abc import Iterator
from inspect import getdoc

import gameserver.rules.errors as errors
from gameserver.rules.errors import BadInput, FieldProblem, GameError, Internal, Overloaded, Refused, RuleBroken


def _below(kind: type[GameError]) -> Iterator[type[GameError]]:
    for error_class in kind.__subclasses__():
        yield error_class
        yield from _below(error_class)


def _tree() -> list[type[GameError]]:
    return [error_class for error_class in _below(GameError) if error_class.__module__ == errors.__name__]


def test_every_kind_but_a_broken_rule_has_a_code_of_its_own():
    codes = [error_class.code for error_class in _tree() if error_class is not RuleBroken]
    assert len(codes) == len(set(codes))


def test_the_drawing_shows_every_kind_with_its_code():
    drawing = errors.__doc__ or ""
    assert all(
        f"{error_class.__name__} {error_class.code}" in drawing for error_class in _tree() if error_class is not Refused
    )


def test_every_kind_is_described_for_people():
    assert all(getdoc(error_class) and error_class.sentence.endswith(".") for error_class in _tree())


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


def test_a_broken_rule_is_shown_to_the_log_and_not_to_the_client():
    error = RuleBroken("action 'pray': hp 12.5")
    assert str(error) == error.fault == "action 'pray': hp 12.5"
    assert (error.code, error.detail) == ("internal", Internal.sentence)
