"""What the game consists of, and whether the node is up."""

from collections.abc import Mapping
from typing import Any, NotRequired

from typing_extensions import TypedDict

from gameserver.rules.game import Game


class ActionAnswer(TypedDict):
    """An action; `args` is the JSON schema of its arguments."""

    name: str
    args: dict[str, Any]


class ActionsAnswer(TypedDict):
    actions: list[ActionAnswer]


class ClassAnswer(TypedDict):
    """A class of the game: HP at level 1 and per further level; the modifiers in per cent.

    Nobody can take a `retired` one any more.
    """

    name: str
    title: str
    base_hp: int
    hp_per_level: int
    damage_dealt: int
    damage_taken: int
    exp_gained: int
    heal_power: int
    retired: bool


class ClassesAnswer(TypedDict):
    classes: list[ClassAnswer]


class LiveAnswer(TypedDict):
    live: bool


class ReadyAnswer(TypedDict):
    """`databases`: why some can't be used at the moment, by name. `primaries`: which of its addresses, from 1, is the
    primary of a database that has several. `deployment`: whose node it is, with `?deployment=show`."""

    ready: bool
    databases: NotRequired[dict[str, str]]
    primaries: NotRequired[dict[str, int]]
    deployment: NotRequired[str]


def action_list(schemas: Mapping[str, dict[str, Any]]) -> ActionsAnswer:
    return {"actions": [{"name": name, "args": schema} for name, schema in schemas.items()]}


def class_list(game: Game) -> ClassesAnswer:
    return {"classes": [{"name": name, **entry.model_dump()} for name, entry in game.classes.items()]}  # type: ignore[typeddict-item]
