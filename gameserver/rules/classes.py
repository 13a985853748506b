"""A class of players: how HP grow with the level, and modifiers of what its players do."""

from typing import Annotated

from pydantic import Field

from gameserver.rules.section import Modifier, Section, Title


class PlayerClass(Section):
    """The figures of one class; a modifier of 100 per cent changes nothing.

    Players of a `retired` class go on as before, and nobody can take it any more.
    """

    title: Title
    base_hp: Annotated[int, Field(ge=1, le=1_000_000)]
    hp_per_level: Annotated[int, Field(ge=0, le=100_000)]
    damage_dealt: Modifier  # of the chance to win
    damage_taken: Modifier
    exp_gained: Modifier
    heal_power: Modifier
    retired: bool = False

    def max_hp(self, level: int) -> int:
        """The most HP at this level (1 or more): base_hp + hp_per_level * (level - 1), which stays below 2^31."""
        return self.base_hp + self.hp_per_level * (level - 1)
