"""The level curve: level n needs base * n * (n - 1) / 2 EXP in total; each step is `base` more than the last.

With base 50: level 2 at 50 EXP, level 3 at 150, level 4 at 300, level 5 at 500. Level 1 needs none.
"""

from bisect import bisect_right
from functools import cached_property
from typing import Annotated

from pydantic import Field

from gameserver.rules.section import Section

EXP_CAP = 2**53 - 1
"""The highest EXP. Boards store scores as doubles, which are exact up to here; EXP above it is lost."""


class Levels(Section):
    """The curve's figures; a player of `max_level` still gains EXP, but no levels."""

    base: Annotated[int, Field(ge=1, le=1_000_000_000)]
    max_level: Annotated[int, Field(ge=1, le=1_000)]

    @cached_property
    def thresholds(self) -> tuple[int, ...]:
        """The EXP at which each level begins, from level 1; strictly increasing."""
        return tuple(self.base * n * (n - 1) // 2 for n in range(1, self.max_level + 1))

    def level_of(self, exp: int) -> int:
        """The level, from 1 to `max_level`, of a player with this much EXP (0 or more); O(log max_level)."""
        return bisect_right(self.thresholds, exp)
