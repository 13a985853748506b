"""What is said of a name that is refused."""

import pytest

from gameserver.rules.errors import BadInput
from gameserver.rules.names import parse


def problem_of_name(text: str) -> str:
    """Why it is refused, as the only error of a bad input."""
    with pytest.raises(BadInput) as caught:
        parse(text)
    (problem,) = caught.value.errors
    assert problem.field == "name"
    return problem.problem
