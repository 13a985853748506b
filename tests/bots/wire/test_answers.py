"""What the bots do next after an error."""

import pytest

from bots.wire.answers import AnswerKind, refusal


@pytest.mark.parametrize("status", [409, None])
def test_a_cool_down_is_a_refusal_although_it_says_when_to_try_again(status: int | None) -> None:
    answer = refusal({"code": "cooling_down", "detail": "…", "retry_after": 3}, status, 3.0)
    assert (answer.kind, answer.uncertain) == (AnswerKind.REFUSED, False)


def test_another_error_with_a_time_is_tried_again() -> None:
    assert refusal({"code": "overloaded", "retry_after": 3}, None, 3.0).kind is AnswerKind.RETRY
