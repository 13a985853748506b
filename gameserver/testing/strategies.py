"""JSON values that fit a JSON schema: the arguments that clients may send for an action."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from gameserver.rules.arguments import MAX_INTEGER

Schema = Mapping[str, Any]
_TEXT = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
_LENGTH = 64
"""The longest text or list that is tried where the schema sets no bound."""


def json_of(schema: Schema, words: Sequence[str] = ()) -> st.SearchStrategy[Any]:
    """Values of a schema as pydantic writes it; `words` are tried often where a text may be anything."""
    return _Values(schema.get("$defs", {}), words).of(schema)


class _Values:
    def __init__(self, definitions: Mapping[str, Schema], words: Sequence[str]) -> None:
        self._definitions, self._words = definitions, words

    def of(self, schema: Schema) -> st.SearchStrategy[Any]:
        if "$ref" in schema:
            return self.of(self._definitions[schema["$ref"].rsplit("/", 1)[1]])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        if alternatives := schema.get("anyOf") or schema.get("oneOf"):
            return st.one_of(*map(self.of, alternatives))
        of_kind = {
            "string": self._text,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda _: st.booleans(),
            "null": lambda _: st.none(),
            "array": self._array,
            "object": self._object,
        }.get(schema.get("type", ""))
        return _anything() if of_kind is None else of_kind(schema)

    def _text(self, schema: Schema) -> st.SearchStrategy[str]:
        if "pattern" in schema:
            return st.from_regex(re.compile(schema["pattern"])).filter(_is_storable)
        least, most = schema.get("minLength", 0), schema.get("maxLength", _LENGTH)
        free = st.text(_TEXT, min_size=least, max_size=most)
        fitting = [word for word in self._words if least <= len(word) <= most]
        return st.sampled_from(fitting) | free if fitting else free

    def _integer(self, schema: Schema) -> st.SearchStrategy[int]:
        least = schema.get("minimum", schema.get("exclusiveMinimum", -MAX_INTEGER - 1) + 1)
        most = schema.get("maximum", schema.get("exclusiveMaximum", MAX_INTEGER + 1) - 1)
        return st.integers(max(least, -MAX_INTEGER), min(most, MAX_INTEGER))

    def _number(self, schema: Schema) -> st.SearchStrategy[float]:
        return st.floats(
            min_value=schema.get("minimum", schema.get("exclusiveMinimum")),
            max_value=schema.get("maximum", schema.get("exclusiveMaximum")),
            exclude_min="exclusiveMinimum" in schema,
            exclude_max="exclusiveMaximum" in schema,
            allow_nan=False,
            allow_infinity=False,
        )

    def _array(self, schema: Schema) -> st.SearchStrategy[list[Any]]:
        element = self.of(schema["items"]) if "items" in schema else _anything()
        return st.lists(element, min_size=schema.get("minItems", 0), max_size=schema.get("maxItems", 8))

    def _object(self, schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
        fields = {name: self.of(field) for name, field in schema.get("properties", {}).items()}
        required = set(schema.get("required", ()))
        fixed = st.fixed_dictionaries(
            {name: field for name, field in fields.items() if name in required},
            optional={name: field for name, field in fields.items() if name not in required},
        )
        more = schema.get("additionalProperties", bool(not fields))
        if not more:
            return fixed
        value = _anything() if more is True else self.of(more)
        others = st.dictionaries(st.text(_TEXT, max_size=16), value, max_size=4)
        return st.tuples(others, fixed).map(lambda parts: {**parts[0], **parts[1]})


LARGEST_ID = (1 << 63) - 1


def _is_storable(text: str) -> bool:
    """Without NUL, without the line's end that Python's `$` lets through, and no number beyond 64 bits."""
    is_id = text.isascii() and text.isdecimal()
    return "\0" not in text and not text.endswith("\n") and not (is_id and int(text) > LARGEST_ID)


def _anything() -> st.SearchStrategy[Any]:
    simple = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(_TEXT, max_size=16)
    return st.recursive(simple, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
