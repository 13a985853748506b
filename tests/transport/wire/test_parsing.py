"""JSON means the same to every reader: names are unique, and 7.0 is an integer."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Annotated, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from gameserver.rules.errors import BadInput
from gameserver.transport import wire
from gameserver.transport.wire import BadJson
from gameserver.transport.wire.fields import QueryModel

TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)


SEPARATORS = st.sampled_from([(",", ":"), (", ", ": ")])
"""JSON without blanks, as most clients write it, is read in a shorter way."""


@given(OBJECTS, st.sampled_from([None, 2]), SEPARATORS, st.booleans())
def test_every_object_is_read_as_it_was_written(
    value: dict[str, Any], indent: int | None, separators: tuple[str, str], ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only)
    assert wire.parse_json(text) == wire.parse_json(text.encode()) == value


@given(OBJECTS.filter(bool), st.data(), st.integers(0, 4), SEPARATORS, st.sampled_from(["", " ", "\n\t"]))
def test_a_name_that_is_given_twice_is_refused(
    value: dict[str, Any], data: st.DataObject, deep: int, separators: tuple[str, str], gap: str
) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    escaped = '"' + "".join(f"\\u{unit:04x}" for unit in _units(name)) + '"'
    spelt = data.draw(st.sampled_from([escaped, json.dumps(name)]))
    twice = json.dumps(value, separators=separators)[:-1] + f",{spelt}{gap}:{gap}1}}"
    text = f'{{"a"{gap}:[' * deep + twice + "]}" * deep
    for body in (text, text.encode()):
        with pytest.raises(BadJson, match="given twice"):
            wire.parse_json(body)


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)]


def test_colons_in_texts_are_no_names() -> None:
    for text in (r'{"a":":","b":"\":"}', '{":":{"::":[":"]}}', r'{"a" : "x\\", "b" :1}'):
        assert wire.parse_json(text) == json.loads(text)


def test_deep_nesting_is_an_error_also_where_names_are_compared() -> None:
    for depth in (500, 1000, 1020, 1100, 8000):
        text = '{"a":":","b":' + "[" * depth + "]" * depth + "}"
        with nullcontext() if depth < 900 else pytest.raises(BadJson):
            wire.parse_json(text)


def test_a_number_without_a_fraction_is_an_integer_however_it_is_written() -> None:
    for text, number in (("0.0", 0), ("7.0", 7), ("-0.0", 0), ("1e3", 1000), ("9007199254740991.0", 2**53 - 1)):
        frame = wire.parse_json(f'{{"id":{text},"op":"hello","token":"t","resume":{{"stream":"s","seq":{text}}}}}')
        hello = wire.parse(wire.HelloFrame, frame)
        assert hello.resume is not None
        assert (hello.resume.seq, hello.id) == (number, number), text
        assert type(hello.resume.seq) is type(hello.id) is int


@pytest.mark.parametrize("text", ["1.5", "true", "9007199254740992.0", "9007199254740992", "1e300", "-1.0", "2e999999"])
def test_other_numbers_are_refused_wherever_an_integer_is_taken(text: str) -> None:
    for fields in (f'"id":1,"op":"board","board":"exp","limit":{text}', f'"id":{text},"op":"board","board":"exp"'):
        with pytest.raises(BadInput):
            wire.parse(wire.BoardFrame, wire.parse_json("{" + fields + "}"))


def test_arguments_of_actions_keep_their_fractions() -> None:
    frame = wire.parse_json('{"action":"a","args":{"x":1.5,"y":2.0,"z":[3.0,{"w":4.25}],"huge":1e300}}')
    assert repr(frame["args"]) == "{'x': 1.5, 'y': 2, 'z': [3, {'w': 4.25}], 'huge': 1e+300}"


def test_fields_are_named_as_the_client_wrote_them() -> None:
    for frame, fields in (
        ({"op": "ping", "id": True}, ["id"]),
        ({"op": "ping", "id": {}}, ["id"]),
        ({"op": "ping", "id": "x" * 65}, ["id"]),
        ({"op": "ping"}, ["id"]),
        ({"op": "ping", "id": 1, "more": 1}, ["more"]),
    ):
        with pytest.raises(BadInput) as caught:
            wire.parse(wire.PingFrame, frame)
        assert [fault.field for fault in caught.value.errors] == fields, frame
    with pytest.raises(BadInput) as caught:
        wire.parse(wire.PlayersQuery, {"ids": "1,x"})
    assert [fault.field for fault in caught.value.errors] == ["ids.1"]


class Either(BaseModel):
    """Fields of several kinds, as a studio's arguments may have: pydantic puts each kind's name into the place."""

    id: int | Annotated[str, Field(max_length=3)]
    parts: list[dict[str, int | bool]]


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({"id": "four", "parts": []}, {"id"}),
        ({"id": {}, "parts": {}}, {"id", "parts"}),
        ({"id": 1, "parts": [{}, {"int": "x"}]}, {"parts.1.int"}),
        ({"id": 1, "parts": [1]}, {"parts.0"}),
    ],
)
def test_a_field_of_several_kinds_is_named_without_them(sent: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(BadInput) as caught:
        wire.parse(Either, sent)
    assert {fault.field for fault in caught.value.errors} == fields


def integers_of_queries() -> Iterator[tuple[type[QueryModel], str]]:
    """Every field of every query that takes an integer, by the name that it has on the wire."""
    models = [QueryModel]
    for model in models:
        models += model.__subclasses__()
        for name, field in model.model_fields.items():
            if int in (field.annotation, *get_args(field.annotation)):
                yield model, field.alias or name


def given_in(model: type[QueryModel], name: str, text: str) -> dict[str, Any]:
    """A query with this value, and with what else it must have."""
    return {"ids": "1"} | {name: text} if "ids" in model.model_fields else {name: text}


@pytest.mark.parametrize(("model", "name"), list(integers_of_queries()))
def test_an_integer_in_a_query_is_written_in_one_way(model: type[QueryModel], name: str) -> None:
    assert getattr(wire.parse(model, given_in(model, name, "7")), name) == 7
    for text in ("07", "007", "+7", " 7", "7 ", "7\n", "1_0", "7.0", "7e0", "0x7", "٧", "", "-0", "seven", "9" * 5000):
        with pytest.raises(BadInput):
            wire.parse(model, given_in(model, name, text))


def test_every_integer_of_a_query_is_known_to_the_test_above() -> None:
    names = {name for _, name in integers_of_queries()}
    assert names == {"limit", "radius", "min_level", "max_level", "sample", "max_staleness", "bars", "version"}


WRITTEN: tuple[tuple[type[BaseModel], str, dict[str, str]], ...] = (
    (wire.Because, "reason", {}),
    (wire.Notice, "text", {"reason": "x"}),
    (wire.NewNote, "text", {}),
)
UNREADABLE = ("", " ", "\u200b", "\u2066\u2069", "\u3164", "\ufe0f", "a\x00")


@pytest.mark.parametrize("text", UNREADABLE, ids=ascii)
@pytest.mark.parametrize(("model", "field", "more"), WRITTEN, ids=lambda each: getattr(each, "__name__", ""))
def test_what_operators_write_says_something(
    model: type[BaseModel], field: str, more: dict[str, str], text: str
) -> None:
    with pytest.raises(BadInput) as refused:
        wire.parse(model, {field: text, **more})
    assert [problem.field for problem in refused.value.errors] == [field]


@pytest.mark.parametrize("text", ["보상", "خانه\u200cها", "\U0001f469\u200d\U0001f680", "\u2067שלום\u2069 a"])
def test_every_language_can_be_written(text: str) -> None:
    assert wire.parse(wire.Because, {"reason": text}).reason == text
    assert wire.parse(wire.NewNote, {"text": f"{text}\n{text}"}).text == f"{text}\n{text}"


def test_a_new_querys_name_is_composed_and_can_be_seen() -> None:
    assert wire.parse(wire.QueryName, {"name": "A\u0308x"}).name == "\u00c4x"
    assert wire.parse(wire.KnownQueryName, {"name": "A\u0308x"}).name == "\u00c4x"
    for unseen in ("a\u200db", "a\u200cb", "a\ufe0fb", "a\u034fb"):
        with pytest.raises(BadInput):
            wire.parse(wire.QueryName, {"name": unseen})
        assert wire.parse(wire.KnownQueryName, {"name": unseen}).name == unseen
