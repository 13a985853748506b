"""Arguments for an action, drawn at random from the JSON schema that the server publishes for it."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

Schema = Mapping[str, Any]
Words = Mapping[str, Sequence[str]]


class CannotFillError(Exception):
    """The schema requires an argument for which no value is known."""


def draw(schema: Schema, words: Words, random: Random) -> dict[str, Any]:
    """Draw every required argument; free strings come from `words`, by argument. Raises CannotFillError."""
    definitions = schema.get("$defs", {})
    required = schema.get("required", ())
    properties = schema.get("properties", {})
    return {name: _value(name, _follow(properties[name], definitions), words, random) for name in required}


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
    if schema.get("enum"):
        return random.choice(schema["enum"])
    if schema.get("type") == "string" and words.get(name):
        return random.choice(words[name])
    if schema.get("type") == "integer":
        low = int(schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1))
        return random.randint(low, int(schema.get("maximum", low + 9)))
    if schema.get("type") == "boolean":
        return random.random() < 0.5
    raise CannotFillError(f"argument {name!r}: {dict(schema)!r:.120}")
