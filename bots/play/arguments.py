"""Arguments for an action, drawn at random from the JSON schema that the server publishes for it."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

Schema = Mapping[str, Any]
Words = Callable[[str], Sequence[str]]


class CannotFillError(Exception):
    """The schema requires an argument for which no value is known."""


def required(schema: Schema) -> dict[str, Schema]:
    """Return the schema of every required argument, with its references followed; raises CannotFillError."""
    definitions, properties = schema.get("$defs", {}), schema.get("properties", {})
    return {name: _follow(properties[name], definitions) for name in schema.get("required", ())}


def draw(schemas: Mapping[str, Schema], words: Words, random: Random) -> dict[str, Any]:
    """Draw an argument for each schema; free strings come from `words`, by argument. Raises CannotFillError."""
    return {name: _value(name, schema, words, random) for name, schema in schemas.items()}


def _follow(schema: Schema, definitions: Schema) -> Schema:
    """Follow a reference, or the first of several alternatives."""
    for _ in range(8):
        if "$ref" in schema:
            schema = definitions[str(schema["$ref"]).rsplit("/", 1)[-1]]
        elif "anyOf" in schema or "oneOf" in schema:
            schema = (schema.get("anyOf") or schema["oneOf"])[0]
        else:
            return schema
    raise CannotFillError("the schema's references form a circle")


def _value(name: str, schema: Schema, words: Words, random: Random) -> Any:
    if "const" in schema:
        return schema["const"]
    if values := schema.get("enum"):
        return random.choice(values)
    if schema.get("type") == "string" and (known := words(name)):
        return random.choice(known)
    if schema.get("type") == "integer":
        low = int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
        return random.randint(low, int(schema.get("maximum", low + 9)))
    if schema.get("type") == "boolean":
        return random.random() < 0.5
    raise CannotFillError(f"argument {name!r}: {dict(schema)!r:.120}")
