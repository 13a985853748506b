"""What the bots do next after an error."""

from collections.abc import Iterator

import pytest

from bots.wire.answers import RETRY, AnswerKind, refusal
from gameserver.rules.errors import GameError, Internal, RateLimited, Unavailable
from gameserver.transport.wire import status_of


def errors_below(kind: type[GameError]) -> Iterator[type[GameError]]:
    """The kind and its heirs, the server's own."""
    if kind.__module__.startswith("gameserver."):
        yield kind
    for child in kind.__subclasses__():
        yield from errors_below(child)


@pytest.mark.parametrize("code", ["cooling_down", "not_yet"])
@pytest.mark.parametrize("status", [409, None])
def test_a_rules_refusal_is_final_although_it_says_when_to_try_again(status: int | None, code: str) -> None:
    answer = refusal({"code": code, "detail": "…", "retry_after": 3}, status, 3.0)
    assert (answer.kind, answer.uncertain) == (AnswerKind.REFUSED, False)


@pytest.mark.parametrize("kind", [*errors_below(Unavailable), *errors_below(RateLimited), Internal])
def test_what_the_server_says_of_itself_is_no_rules_refusal(kind: type[GameError]) -> None:
    assert {refusal({"code": kind.code}, status, None).kind for status in (None, status_of(kind))} == {RETRY}


def test_another_error_with_a_time_is_tried_again() -> None:
    assert refusal({"code": "overloaded", "retry_after": 3}, None, 3.0).kind is RETRY
    assert refusal({"code": "unheard_of"}, 404, 3.0).kind is RETRY
