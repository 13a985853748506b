"""What all tables of game.toml have in common: strict types, bounds, and no unknown fields."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""A name of a class, foe, action or board, in game.toml and on the wire."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=40)]
"""A name as people see it."""

Words = Annotated[str, StringConstraints(max_length=200)]
"""What people read."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""Control characters, none of which a name has."""

UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters other than tabs and ends of lines. No letter can have a NUL."""

Chance = Annotated[int, Field(ge=0, le=100)]
"""In per cent."""

Modifier = Annotated[int, Field(ge=0, le=1_000)]
"""A factor in per cent: 100 changes nothing."""


class Section(BaseModel):
    """A table; its values never change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
