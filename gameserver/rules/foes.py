"""A foe: the chance to beat it, the damage it deals, and what a win gives."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gameserver.rules.items import Drop
from gameserver.rules.section import Chance, Key, Section, Title

Damage = Annotated[int, Field(ge=0, le=1_000_000)]
Points = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]


class Foe(Section):
    """The figures of one foe, for a player of its level and of a class without modifiers.

    A `retired` foe is refused to new commands; a retry of an old one still gets its first answer.
    """

    title: Title
    level: Annotated[int, Field(ge=1, le=1_000)]
    win_chance: Chance
    min_damage: Damage
    max_damage: Damage
    exp: Annotated[int, Field(ge=0, le=1_000_000_000)]
    points: Annotated[dict[Key, Points], Field(default_factory=dict)]
    """Points that a win scores, on the boards that rank them."""
    drops: Annotated[tuple[Drop, ...], Field(strict=False, max_length=20)] = ()
    retired: bool = False

    @model_validator(mode="after")
    def _damage_is_a_range(self) -> Self:
        if self.min_damage > self.max_damage:
            raise ValueError("min_damage is above max_damage")
        return self
