"""Validation of arguments: faults are reported by field, and nothing that can't be stored passes."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, Field

from gameserver.rules.arguments import MAX_INTEGER, Arguments
from gameserver.rules.checking import DoesNotFit, check
from gameserver.rules.errors import BadInput, UnknownClass, UnknownFoe
from tests.rules.samples import FOES, RULEBOOK, rulebook_with

STUDIO = rulebook_with(pray="tests.rules.studio:pray")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _problems(action: str, raw: object) -> dict[str, str]:
    with pytest.raises(BadInput) as caught:
        STUDIO.arguments(action, raw)
    assert caught.value.errors
    return {fault.field: fault.problem for fault in caught.value.errors}


def _fields_at_fault(action: str, raw: object) -> list[str]:
    try:
        STUDIO.arguments(action, raw)
    except BadInput as error:
        return [fault.field for fault in error.errors]
    return []


def _nested(depth: int) -> dict[str, Any]:
    return {"inner": _nested(depth - 1)} if depth else {}


@given(st.sampled_from(FOES))
def test_a_known_foe_is_accepted(foe):
    assert RULEBOOK.arguments("hunt", {"foe": foe}).model_dump() == {"foe": foe}


def test_an_unknown_foe_is_refused_with_the_known_ones():
    with pytest.raises(UnknownFoe) as caught:
        RULEBOOK.arguments("hunt", {"foe": "unicorn"})
    (problem,) = caught.value.errors
    assert (problem.field, problem.problem) == ("args.foe", "must be one of: slime, wolf, ogre, dragon")


def test_an_unknown_class_is_refused_with_the_known_ones():
    with pytest.raises(UnknownClass) as caught:
        RULEBOOK.arguments("change_class", {"class": "druid"})
    (problem,) = caught.value.errors
    assert (problem.field, problem.problem) == (
        "args.class",
        "must be one of: warrior, fighter, mage, priest",
    )


@pytest.mark.parametrize(
    ("action", "raw", "field"),
    [
        ("hunt", {}, "args.foe"),
        ("hunt", {"foe": 7}, "args.foe"),
        ("hunt", {"foe": None}, "args.foe"),
        ("hunt", {"foe": ["slime"]}, "args.foe"),
        ("hunt", {"foe": "x" * 10_000}, "args.foe"),
        ("hunt", {"foe": "slime", "seed": 1}, "args.seed"),
        ("hunt", {"Foe": "slime", "foe": "slime"}, "args.Foe"),
        ("change_class", {"class_name": "mage"}, "args.class"),
        ("rest", {"hours": 3}, "args.hours"),
        ("rest", None, "args"),
        ("rest", [], "args"),
        ("rest", "now", "args"),
        ("pray", {"times": 2**70}, "args.times"),
        ("pray", {"times": MAX_INTEGER + 1}, "args.times"),
        ("pray", {"times": -MAX_INTEGER - 1}, "args.times"),
        ("pray", {"times": "3"}, "args.times"),
        ("pray", {"times": True}, "args.times"),
        ("pray", {"times": 3.0}, "args.times"),
        ("pray", {"offering": math.nan}, "args.offering"),
        ("pray", {"offering": math.inf}, "args.offering"),
        ("pray", {"offering": 2**70}, "args.offering"),
        ("pray", {"words": "a\0b"}, "args.words"),
        ("pray", {"whom": {"saint": [{"name": 2**64}]}}, "args.whom.saint.0.name"),
        ("pray", {"whom": {"a\0": 2**64}}, "args.whom.a\0"),
        ("pray", {"whom": {"a\0": 1}}, "args.whom.a\0"),
        ("pray", {"whom": _nested(7)}, "args.whom" + ".inner" * 7),
        ("pray", {"whom": _nested(500)}, "args.whom" + ".inner" * 7),
    ],
)
def test_faults_of_arguments_are_reported_by_field(action, raw, field):
    assert field in _problems(action, raw)


def test_the_largest_numbers_that_every_client_can_hold_are_accepted():
    args = STUDIO.arguments("pray", {"times": MAX_INTEGER, "whom": {"least": -MAX_INTEGER, **_nested(6)}})
    assert args.model_dump()["times"] == MAX_INTEGER


def test_a_flood_of_wrong_fields_gets_a_short_answer():
    problems = _problems("rest", {f"{'x' * 1_000}{number}": 1 for number in range(1_000)})
    assert all(len(field) <= 100 for field in problems)
    with pytest.raises(BadInput) as caught:
        STUDIO.arguments("rest", {str(number): 1 for number in range(1_000)})
    assert len(caught.value.errors) == 20


@given(st.sampled_from(["hunt", "rest", "change_class", "pray"]), ANYTHING)
def test_no_json_crashes_the_validation(action, raw):
    assert all(field.startswith("args") for field in _fields_at_fault(action, raw))


@pytest.mark.parametrize(
    ("action", "raw"),
    [("hunt", {"foe": "wolf"}), ("change_class", {"class": "mage"}), ("pray", {"times": 3})],
)
def test_serialized_arguments_can_be_parsed_again(action, raw):
    args = STUDIO.arguments(action, raw)
    assert STUDIO.arguments(action, args.model_dump(mode="json")) == args


class Order(Arguments):
    count: int
    note: str | None = None


class Craft(Arguments):
    orders: dict[str, Order]
    few: dict[str, Order] = Field(default={}, max_length=2)


class Aliased(Arguments):
    first: int = Field(default=0, validation_alias=AliasChoices("one", "uno"))
    second: int = Field(default=0, alias="two")
    third: int = Field(default=0, validation_alias=AliasPath("three", 0))


def _faults(model: type[Arguments], given: object) -> list[tuple[object, ...]]:
    with pytest.raises(DoesNotFit) as caught:
        check(model, given)
    return [fault["loc"] for fault in caught.value.faults]


def test_maps_of_models_are_taken_whole_and_their_keys_are_no_fields() -> None:
    orders = {f"item {number}": {"count": number} for number in range(100)} | {"note": {"count": 1}}
    taken = check(Craft, {"orders": orders})
    assert {name: {"count": order.count} for name, order in taken.orders.items()} == orders
    assert _faults(Craft, {"orders": {"note": None}}) == [("orders", "note")]
    assert _faults(Craft, {"orders": {}, "few": orders}) == [("few",)]


@pytest.mark.parametrize("given", [{"uno": "a"}, {"two": "a"}, {"three": ["a"]}], ids=str)
def test_a_name_by_any_alias_is_found_among_thousands_of_unknown_ones(given: dict[str, Any]) -> None:
    (name,) = given
    unknown = {f"x{number}": 0 for number in range(1_000)}
    places = _faults(Aliased, unknown | given)
    assert name in [place[0] for place in places]
    assert len(places) < 30
