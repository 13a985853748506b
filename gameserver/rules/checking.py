"""Checks what a client has sent against a model, and says in plain words what is wrong.

Law: `null` for a field that may be left out is the same as leaving it out, whatever the field's type, also in models
inside the model. No problem names a class or a type of Python: who reads it has written JSON, or a query.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

MAX_PATH = 100
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


def check(model: type[Model], value: Any, context: object = None) -> Model:
    """What the client has sent as a model. Raises ValidationError."""
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        if not isinstance(value, Mapping) or all(fault["input"] is not None for fault in faults):
            raise
    return model.model_validate(_without_nulls(model, value), context=context)


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


def _model_in(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that holds one, or may hold one."""
    kinds = (field.annotation, *get_args(field.annotation))
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
