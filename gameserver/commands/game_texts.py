"""The text of a game.toml that somebody sent."""

import re
import tomllib
from typing import Any

from gameserver.rules.errors import BadInput, FieldProblem

_PART = r"""\.[ \t]*+(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_NAME = re.compile(rf"{_PART}(?:[ \t]*+{_PART}){{31}}")
"""A name in TOML with so many dots as no game has; reading it takes time that grows by the square of their number."""


def read_game(text: str) -> dict[str, Any]:
    """The content of a game.toml. Raises BadInput."""
    if _LONG_NAME.search(text):
        raise BadInput("These rules can't be read.", errors=[FieldProblem("game", "has a name of over 32 parts")])
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise BadInput("These rules can't be read.", errors=[FieldProblem("game", f"isn't TOML: {error}")]) from None
