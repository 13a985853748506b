"""From JSON text or a query to a checked model; whatever doesn't fit is an error that names the fields at fault.

Law: JSON means the same to every reader. A name given twice in one object is refused, since readers differ in which
value counts; a number without a fraction is an integer however it is written (`7`, `7.0`, `0.7e1`), as JSON Schema
says, as long as it is one that floats hold exactly. What most clients send costs half a microsecond, since it
is just what this server would write for its value; anything else costs one look at every value, 1 to 2 µs a request.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel

from gameserver.rules.arguments import MAX_INTEGER
from gameserver.rules.checking import MAX_PROBLEMS, DoesNotFit, check, field_path, problem_of
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.transport.wire.errors import BadJson

Model = TypeVar("Model", bound=BaseModel)
_FLOAT = re.compile(rb"[:,\[]-?[0-9]+[.e]")
"""In JSON without blanks; it also finds what looks so in a text."""
LONGEST_NAME = 64
"""Characters of a repeated name that an error shows."""


def parse_json(body: bytes | str) -> dict[str, Any]:
    """The object that the JSON text holds. Raises BadJson."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadJson(f"This isn't JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadJson("A JSON object is needed.")
    if _is_canonical(body, value):
        return value
    names, has_floats = _survey(value)
    # Each name has its colon. More colons than names: some are in texts, or a name is repeated.
    if names != (body.count(b":") if isinstance(body, bytes) else body.count(":")):
        _refuse_repeated_names(body)
    if has_floats:
        _read_integers(value)
    return value


def _is_canonical(body: bytes | str, value: dict[str, Any]) -> bool:
    """Whether the text is how the value would be written, and has no float: a repeated name would be missing there."""
    text = body if isinstance(body, bytes) else body.encode()
    try:
        return orjson.dumps(value) == text and _FLOAT.search(text) is None
    except orjson.JSONEncodeError:  # nested too deep for the writer
        return False


def _survey(value: dict[str, Any]) -> tuple[int, bool]:
    """How many names the objects have in all, and whether a number is a float."""
    names, has_floats = 0, False
    values: list[Any] = [value]
    for item in values:  # grows meanwhile: a loop, because texts nest deeper than Python recurses
        kind = type(item)
        if kind is dict:
            names += len(item)
            values.extend(item.values())
        elif kind is list:
            values.extend(item)
        elif kind is float:
            has_floats = True
    return names, has_floats


def _refuse_repeated_names(body: bytes | str) -> None:
    """Raises BadJson for a name that is given twice in one object."""
    try:
        json.loads(body, object_pairs_hook=_unique, parse_int=str, parse_float=str)
    except RecursionError:
        raise BadJson("The JSON is nested too deep.") from None


def _unique(pairs: Sequence[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise BadJson(f"The name {json.dumps(name[:LONGEST_NAME])} is given twice in one object.")
        seen.add(name)


def _read_integers(value: dict[str, Any]) -> None:
    """Replaces floats without a fraction by integers, up to what floats hold exactly."""
    containers: list[Any] = [value]
    for container in containers:
        for key, item in container.items() if isinstance(container, dict) else enumerate(container):
            if isinstance(item, dict | list):
                containers.append(item)
            elif isinstance(item, float) and item.is_integer() and abs(item) <= MAX_INTEGER:
                container[key] = int(item)


def parse(model: type[Model], value: Mapping[str, Any]) -> Model:
    """A checked request from decoded JSON or a query. Raises BadInput, which names at most MAX_PROBLEMS fields."""
    try:
        return check(model, value)
    except DoesNotFit as error:
        problems = [FieldProblem(field_path(fault, value), problem_of(fault)) for fault in error.faults[:MAX_PROBLEMS]]
        raise BadInput("The request can't be used.", errors=problems) from None
