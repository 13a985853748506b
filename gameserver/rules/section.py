"""A table of game.toml: its fields are typed strictly, bounded, and nothing else may stand in it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""How classes, foes, actions and boards are named in the data and on the wire."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=40)]
"""How people see a class or foe named."""

Chance = Annotated[int, Field(ge=0, le=100)]
"""In how many of 100 cases."""

Modifier = Annotated[int, Field(ge=0, le=1_000)]
"""A factor in per cent: 100 changes nothing."""


class Section(BaseModel):
    """A table whose values never change once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
