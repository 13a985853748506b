"""Checks what a client has sent against a model, and says in plain words what is wrong.

Law: `null` for a field that may be left out is the same as leaving it out, whatever the field's type, also in models
inside the model. No problem names a class or a type of Python: who reads it has written JSON, or a query. Thousands of
names that aren't known cost no more than the MAX_PROBLEMS of them that an error shows, and faults are listed once.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import AliasChoices, AliasPath, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

MAX_PATH = 100
MAX_PROBLEMS = 20
"""How many faults an error shows."""
Model = TypeVar("Model", bound=BaseModel)
_OBJECT, _LIST, _NUMBER = "must be an object", "must be a list", "must be a number"
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "isn't known here",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "none_required": "must be null",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries",
    "string_pattern_mismatch": "must match {pattern}",
}
"""By pydantic's types of errors."""


class DoesNotFit(Exception):
    """What a client has sent doesn't fit the model."""

    def __init__(self, faults: Sequence[ErrorDetails]) -> None:
        self.faults = faults


def check(model: type[Model], value: Any, context: object = None) -> Model:
    """What the client has sent as a model. Raises DoesNotFit."""
    given = _with_few_unknown(model, value) if isinstance(value, Mapping) else value
    try:
        return model.model_validate(given, context=context)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    if isinstance(given, Mapping) and any(fault["input"] is None for fault in faults):
        try:
            return model.model_validate(_without_nulls(model, given), context=context)
        except ValidationError as error:
            faults = error.errors(include_url=False)
    raise DoesNotFit(faults)


def _with_few_unknown(model: type[BaseModel], value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without unknown names and entries of maps beyond what is refused: it is refused as well, and says the same."""
    if len(value) > MAX_PROBLEMS and model.model_config.get("extra") == "forbid":
        known = _known(model)
        few = islice((name for name in value if name not in known), MAX_PROBLEMS)
        value = {name: value[name] for name in (*known, *few) if name in value}
    cut = {}
    for name, (inner, most) in _maps(model).items():
        item = value.get(name)
        if isinstance(item, Mapping):
            cut[name] = dict(islice(item.items(), most)) if inner is None else _with_few_unknown(inner, item)
    return {**value, **cut} if cut else value


@cache
def _maps(model: type[BaseModel]) -> dict[str, tuple[type[BaseModel] | None, int]]:
    """The fields that hold a model, or that take only so many entries and say so of one more."""
    maps = {}
    for name, field in _fields(model).items():
        inner, limits = _model_in(field), [getattr(part, "max_length", None) for part in field.metadata]
        most = next((limit for limit in limits if limit is not None), None)
        if inner is not None or most is not None:
            maps[name] = (inner, (most or 0) + 1)
    return maps


def _without_nulls(model: type[BaseModel], value: Mapping[str, Any]) -> dict[str, Any]:
    fields, kept = _fields(model), {}
    for name, item in value.items():
        field = fields.get(name)
        if field is not None and item is None and not field.is_required():
            continue
        inner = None if field is None or not isinstance(item, Mapping) else _model_in(field)
        kept[name] = item if inner is None else _without_nulls(inner, item)
    return kept


@cache
def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """By their names on the wire."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


@cache
def _known(model: type[BaseModel]) -> frozenset[str]:
    """Every name that it may take, by whatever alias."""
    known = set[str]()
    for name, field in model.model_fields.items():
        given = field.validation_alias
        choices = given.choices if isinstance(given, AliasChoices) else [given]
        firsts = [each.path[0] if isinstance(each, AliasPath) else each for each in choices]
        known |= {each for each in (name, field.alias, *firsts) if isinstance(each, str)}
    return frozenset(known)


def _model_in(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that holds one, or may hold one; a map of models holds many."""
    is_choice = get_origin(field.annotation) in (Union, UnionType)
    kinds = get_args(field.annotation) if is_choice else (field.annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def problem_of(fault: ErrorDetails) -> str:
    """What is wrong, as a client may read it."""
    words = _WORDS.get(fault["type"])
    if words is not None:
        return words.format_map(fault.get("ctx", {}))
    return fault["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").replace(
        "Input should", "must", 1
    )  # fmt: skip


def field_path(fault: ErrorDetails, value: object, *prefix: str) -> str:
    """Where in `value`, which a client has sent, a fault lies: `args.foe`.

    Of pydantic's location it leaves out names of validators: they lead nowhere in `value` and aren't missing there.
    """
    path, place, last = list(prefix), value, len(fault["loc"]) - 1
    for index, part in enumerate(fault["loc"]):
        is_missing = index == last and fault["type"] == "missing"
        if isinstance(part, int) or is_missing or (isinstance(place, dict) and part in place):
            path.append(str(part))
            place = _inside(place, part)
    return ".".join(path)[:MAX_PATH]


def _inside(place: object, part: int | str) -> object:
    if isinstance(place, dict):
        return place.get(part)
    return place[part] if isinstance(place, list) and isinstance(part, int) and part < len(place) else None
