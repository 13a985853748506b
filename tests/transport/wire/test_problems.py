"""What is said of wrong fields: in plain words, and null is the same as nothing where a field may be left out."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from gameserver.rules.checking import MAX_PROBLEMS
from gameserver.rules.errors import BadInput
from gameserver.transport import wire
from gameserver.transport.wire.fields import JsonModel, QueryModel
from tests.support.client import Api
from tests.transport.doors import assert_problem

PYTHON = re.compile(r"dictionar|instance|input|valid|class\b|\blist\[|tuple|None|[A-Z][a-z]+[A-Z]|String|List|Value|\{")
WRONG: tuple[Any, ...] = (None, 5, -1, 10**30, 1.5, True, "", "\x01", "x" * 30_000, [], ["x"], [1], {}, {"x": 1})


def models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from models(model)


MODELS = sorted({*models(JsonModel), *models(QueryModel)}, key=lambda model: model.__name__)


def problems(model: type[BaseModel], value: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        wire.parse(model, value)
    except BadInput as error:
        return [(fault.field, fault.problem) for fault in error.errors]
    return []


def names(model: type[BaseModel], required: bool) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items() if field.is_required() == required]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_problems_are_said_in_plain_words(model: type[BaseModel]) -> None:
    for wrong in WRONG:
        for name in (*names(model, required=True), *names(model, required=False), "another"):
            for field, problem in problems(model, {name: wrong}):
                said = re.sub(r"must match .*", "", problem)
                assert field, (name, wrong)
                assert re.match(r"(must|isn't|is|has|at most) ", problem), (name, wrong, problem)
                assert not PYTHON.search(said), (name, wrong, problem)


@pytest.mark.parametrize("model", list(models(JsonModel)), ids=lambda model: model.__name__)
def test_null_is_the_same_as_nothing_for_a_field_that_may_be_left_out(model: type[BaseModel]) -> None:
    nothing = problems(model, {})
    for name in names(model, required=False):
        assert problems(model, {name: None}) == nothing, name
    assert problems(model, dict.fromkeys(names(model, required=False))) == nothing
    for name in names(model, required=True):
        assert problems(model, {name: None}), name
    assert ("x", "isn't known here") in problems(model, {"x": None})


def test_null_is_the_same_as_nothing_in_what_an_object_holds() -> None:
    given = {"filter": {"class": "mage", "banned": None, "min_level": None}, "expected_count": 1, "items": None}
    said = wire.parse(wire.NewCampaign, {**given, "text": "x", "reason": "x"})
    assert said == wire.parse(
        wire.NewCampaign, {"filter": {"class": "mage"}, "expected_count": 1, "text": "x", "reason": "x"}
    )
    assert problems(wire.MailToPlayer, {"text": "x", "reason": "x", "items": {"potion": None}}) == [
        ("items.potion", "must be an integer")
    ], "an item isn't a field"


async def test_null_is_the_same_as_nothing_at_both_doors(api: Api) -> None:
    who = await api.sign_up(password=None, label=None)
    act = {"action": "nothing_of_the_kind", "args": None}
    assert_problem(await api.ask("POST", "/v1/players/me/actions", token=who.token, body=act), "unknown_action")
    socket = await api.socket(who.token)
    assert (await socket.ask("act", **act, command_id=None))["error"]["code"] == "unknown_action"
    for op, fields in (("board", ("limit", "cursor", "season")), ("around", ("radius", "season"))):
        answer = await socket.ask(op, board="exp", **dict.fromkeys(fields))
        assert answer.get("error", {}).get("code") != "bad_input", answer
    assert "ok" in await socket.ask("read", at_least=None, max_staleness=None, traceparent=None)


async def test_a_number_where_a_text_is_needed_is_said_to_be_one_whatever_its_size(api: Api) -> None:
    who = await api.sign_up("priest")
    socket = await api.socket(who.token)
    for action, name in (("heal_other", "player"), ("hunt", "foe")):
        for number in (250333707275098127, 2**63, -(2**62), 7):
            error = (await socket.ask("act", action=action, args={name: number}))["error"]
            assert {"field": f"args.{name}", "problem": "must be a string"} in error["errors"], (number, error)
    error = (await socket.ask("act", action="rest", args={"x": 2**60}))["error"]
    assert error["errors"] == [{"field": "args.x", "problem": "must be between -9007199254740991 and 9007199254740991"}]


async def test_a_hello_is_refused_in_plain_words(api: Api) -> None:
    connection = await api.raw_socket()
    await connection.send_json({"id": 1, "op": "hello", "token": "x", "resume": []})
    error = (await connection.receive_json(timeout=10))["error"]
    assert error["errors"] == [{"field": "resume", "problem": "must be an object"}]


def test_no_name_is_taken_that_only_the_code_has() -> None:
    renamed = [(model, name) for model in MODELS for name, field in model.model_fields.items() if field.alias]
    assert len(renamed) >= 4
    for model, name in renamed:
        assert (name, "isn't known here") in problems(model, {name: "mage"}), (model, name)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_thousands_of_unknown_names_are_checked_no_further_than_an_error_shows(
    model: type[BaseModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the top and in whatever the fields hold; the error is the same as that of so few."""
    counts = []
    check = model.model_validate

    def counted(value: object, *, context: object = None) -> BaseModel:
        try:
            return check(value, context=context)
        except ValidationError as error:
            counts.append(error.error_count())
            raise

    many = {f"#{number}": 0 for number in range(2291)}
    monkeypatch.setattr(model, "model_validate", counted)
    for value in ({}, *({name: many} for name in [*names(model, required=True), *names(model, required=False)])):
        assert len(problems(model, {**value, **many})) == MAX_PROBLEMS
        few = dict(list(many.items())[:MAX_PROBLEMS])
        assert problems(model, {**value, **many}) == problems(model, {**value, **few})
        problems(model, value)
    assert max(counts) <= 3 * MAX_PROBLEMS + len(model.model_fields)
