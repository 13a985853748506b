"""From JSON text or a query to a checked model; whatever doesn't fit is an error that names the fields at fault."""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from gameserver.rules.arguments import MAX_PATH, MAX_PROBLEMS
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.transport.wire.errors import BadJson

Model = TypeVar("Model", bound=BaseModel)


def parse_json(body: bytes | str) -> dict[str, Any]:
    """The object that the JSON text holds. Raises BadJson."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadJson(f"This isn't JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadJson("A JSON object is needed.")
    return value


def parse(model: type[Model], value: Mapping[str, Any]) -> Model:
    """A checked request from decoded JSON or a query. Raises BadInput, which names at most MAX_PROBLEMS fields."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]
        raise BadInput("The request can't be used.", errors=[_problem(fault) for fault in faults]) from None


def _problem(fault: Any) -> FieldProblem:
    return FieldProblem(".".join(map(str, fault["loc"]))[:MAX_PATH], fault["msg"])
