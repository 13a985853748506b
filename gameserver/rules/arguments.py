"""Arguments of actions, and how they are validated.

Law: what passes is JSON that Postgres and every client can store. Python has no such limits, so integers beyond
2^53 - 1, numbers that aren't finite, the character NUL and deep nesting are refused here for every action, whatever
its model allows.
"""

from math import isfinite
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from gameserver.rules.checking import MAX_PATH, MAX_PROBLEMS, DoesNotFit, check, field_path, problem_of
from gameserver.rules.errors import BadInput, FieldProblem, UnknownClass, UnknownFoe, UnknownItem
from gameserver.rules.game import Game
from gameserver.rules.plain_json import MAX_DEPTH
from gameserver.rules.plain_json import MAX_INTEGER as MAX_INTEGER

LARGEST_ID = 2**63 - 1
_TOO_LARGE = f"must be between -{MAX_INTEGER} and {MAX_INTEGER}"

Model = TypeVar("Model", bound=BaseModel)


class Arguments(BaseModel):
    """The base of an action's arguments: fields that aren't declared, or have another type, are refused.

    Serialized by alias, so that what the ledger stores can be parsed again.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, serialize_by_alias=True)


def _known_foe(name: str, info: ValidationInfo) -> str:
    if isinstance(info.context, Game) and name not in info.context.foes:
        raise PydanticCustomError("unknown_foe", "must be one of: {names}", {"names": ", ".join(info.context.foes)})
    return name


def _known_class(name: str, info: ValidationInfo) -> str:
    if isinstance(info.context, Game) and name not in info.context.classes:
        names = ", ".join(info.context.classes)
        raise PydanticCustomError("unknown_class", "must be one of: {names}", {"names": names})
    return name


def _known_item(name: str, info: ValidationInfo) -> str:
    if isinstance(info.context, Game) and name not in info.context.items:
        raise PydanticCustomError("unknown_item", "must be one of: {names}", {"names": ", ".join(info.context.items)})
    return name


_Word = Annotated[str, StringConstraints(max_length=32)]
FoeName = Annotated[_Word, AfterValidator(_known_foe)]
"""The name of a foe of the game; another one is refused with `unknown_foe` before the action runs."""
ClassName = Annotated[_Word, AfterValidator(_known_class)]
"""The name of a class of the game; another one is refused with `unknown_class` before the action runs."""
ItemName = Annotated[_Word, AfterValidator(_known_item)]
"""The name of an item of the game; another one is refused with `unknown_item` before the action runs."""


def _player_id(text: str) -> str:
    if int(text) > LARGEST_ID:
        raise PydanticCustomError("player_id", "must be a player id")
    return text


PlayerId = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}$"), AfterValidator(_player_id)]
"""A player's id on the wire. Only the player's database knows whether the player exists."""


class MailArguments(Arguments):
    """The base of the arguments of a letter's rule; the server fills in the sender."""

    sender: PlayerId


_KINDS: dict[str, type[BadInput]] = {
    "unknown_foe": UnknownFoe,
    "unknown_class": UnknownClass,
    "unknown_item": UnknownItem,
}


def parse(model: type[Model], raw: object, game: Game) -> Model:
    """The arguments as a model. Raises BadInput or a subclass, naming fields as `args.foe`."""
    unfit = _unfit(raw, MAX_DEPTH)
    if unfit is not None:
        raise BadInput(errors=[_of_another_type(model, raw, unfit, game) or unfit])
    try:
        return check(model, raw, context=game)
    except DoesNotFit as error:
        faults = error.faults
    kind = next((_KINDS[fault["type"]] for fault in faults if fault["type"] in _KINDS), BadInput)
    problems = [FieldProblem(field_path(fault, raw, "args"), problem_of(fault)) for fault in faults[:MAX_PROBLEMS]]
    raise kind(errors=problems)


def are_refused_unseen(raw: object) -> bool:
    """Whether `parse` refuses these before any code of the game has seen them."""
    unfit = _unfit(raw, MAX_DEPTH)
    return unfit is not None and unfit.problem != _TOO_LARGE


def _of_another_type(model: type[BaseModel], raw: object, unfit: FieldProblem, game: Game) -> FieldProblem | None:
    """What the model says of the type of an integer that can't be stored: where a text is needed, no range helps.

    The model sees 0 in its place: no rule's code is given what can't be stored.
    """
    if unfit.problem != _TOO_LARGE or _unfit(bounded := _bounded(raw), MAX_DEPTH) is not None:
        return None
    try:
        check(model, bounded, context=game)
    except DoesNotFit as error:
        for fault in error.faults:
            if fault["type"].endswith("_type") and field_path(fault, raw, "args") == unfit.field:
                return FieldProblem(unfit.field, problem_of(fault))
    return None


def _bounded(value: Any) -> Any:
    """With 0 for every integer that can't be stored."""
    if isinstance(value, dict):
        return {name: _bounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item) for item in value]
    return 0 if isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER else value


def _unfit(raw: object, depth: int) -> FieldProblem | None:
    """The first value that can't be stored, and why."""
    unfit = _unfit_value(raw, depth)
    return None if unfit is None else FieldProblem(("args" + unfit[0])[:MAX_PATH], unfit[1])


def _unfit_value(value: Any, depth: int) -> tuple[str, str] | None:
    """Its path and why."""
    if isinstance(value, str):
        return ("", "must not contain the character NUL") if "\0" in value else None
    if isinstance(value, (dict, list)):
        return _unfit_inside(value, depth) if depth else ("", f"is nested more than {MAX_DEPTH} deep")
    if isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        return "", _TOO_LARGE
    if isinstance(value, float) and not isfinite(value):
        return "", "must be a finite number"
    return None


def _unfit_inside(value: dict[str, Any] | list[Any], depth: int) -> tuple[str, str] | None:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        unfit = _unfit_key(key) or _unfit_value(item, depth - 1)
        if unfit is not None:
            path, problem = unfit
            return f".{key}{path}", problem
    return None


def _unfit_key(key: object) -> tuple[str, str] | None:
    return ("", "must not contain the character NUL") if isinstance(key, str) and "\0" in key else None
