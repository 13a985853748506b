"""The figures of the built-in actions, one table for each."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gameserver.rules.levels import EXP_CAP
from gameserver.rules.section import Chance, Modifier, Section

Points = Annotated[int, Field(ge=0, le=1_000_000)]
Share = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[int, Field(ge=0, le=31 * 86_400)]


class HuntTuning(Section):
    """Each level above the foe's adds `chance_per_level` to the chance to win, within the bounds."""

    chance_per_level: Chance
    least_chance: Chance
    most_chance: Chance
    damage_on_win: Chance  # per cent of the damage that the winner still takes

    @model_validator(mode="after")
    def _chances_are_a_range(self) -> Self:
        if self.least_chance > self.most_chance:
            raise ValueError("least_chance is above most_chance")
        return self


class RestTuning(Section):
    """Rest restores `percent` of max_hp."""

    percent: Share


class HealTuning(Section):
    """A heal that succeeds restores `min` to `max` HP, and `per_level` more for each level above 1."""

    chance: Chance
    min: Points
    max: Points
    per_level: Points

    @model_validator(mode="after")
    def _points_are_a_range(self) -> Self:
        if self.min > self.max:
            raise ValueError("min is above max")
        return self


class ReviveTuning(Section):
    """A revived player has `percent` of max_hp."""

    percent: Share


class ChangeClassTuning(Section):
    """Changing class needs at least `min_exp` EXP, which are not spent."""

    min_exp: Annotated[int, Field(ge=0, le=EXP_CAP)]


class HealOtherTuning(Section):
    """Healing others costs `cost` HP and needs a class with a heal_power of at least `least_heal_power`.

    It can be done again after `cooldown` seconds, for the same player after `pair_cooldown`.
    """

    cost: Points
    least_heal_power: Modifier
    cooldown: Seconds = 0
    pair_cooldown: Seconds = 0


class DuelTuning(Section):
    """The challenger's chance is its share of both sides' damage_dealt, plus `chance_per_level` for each level above.

    The winner gains `exp_per_level` for each level of the loser; the loser loses `damage_percent` of max_hp. A player
    challenges again after `cooldown` seconds, the same player after `pair_cooldown`; who has lost a challenge, or was
    revived, isn't challenged for `protection` seconds. On one day (UTC) each further win over the same player gains
    `repeat_percent` of the win before, and all wins together at most `daily_exp`.
    """

    chance_per_level: Chance
    least_chance: Chance
    most_chance: Chance
    damage_percent: Share
    exp_per_level: Points
    cooldown: Seconds = 0
    pair_cooldown: Seconds = 0
    protection: Seconds = 0
    repeat_percent: Chance = 100
    daily_exp: Annotated[int, Field(ge=0, le=EXP_CAP)] = EXP_CAP

    @model_validator(mode="after")
    def _chances_are_a_range(self) -> Self:
        if self.least_chance > self.most_chance:
            raise ValueError("least_chance is above most_chance")
        return self


class Tuning(Section):
    """The table `[tuning]`."""

    hunt: HuntTuning
    rest: RestTuning
    heal: HealTuning
    revive: ReviveTuning
    change_class: ChangeClassTuning
    heal_other: HealOtherTuning
    duel: DuelTuning
