"""Turns the rules that game.toml names into functions: imports each one and reads the model of its arguments.

A rule is an action of `[actions]` or the effect of a letter of `[mail]`. It is a plain function
(player, args, moment) -> Outcome whose second parameter is annotated with a pydantic model that is strict and forbids
extra fields, such as a subclass of `Arguments`.
"""

import functools
import inspect
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import BaseModel, PydanticUserError
from pydantic.json_schema import PydanticJsonSchemaWarning

from gameserver.rules.corrections import CORRECTIONS
from gameserver.rules.game import GameFault
from gameserver.rules.items import Item, Takes, fault_of
from gameserver.rules.player import Moment, Outcome, Player
from gameserver.rules.studio import require_fault, said

BY_OPERATORS = frozenset({"ban", "lift_ban"}) | CORRECTIONS
"""Changes by operators, whose arguments (the reason) no player may see."""
NOT_ACTIONS = frozenset({"sign_up", "rename", "delete", "add_device", "remove_device"}) | BY_OPERATORS
"""Names that the ledger uses for changes of a player that aren't actions."""
Function = Callable[[Player, Any, Moment], Outcome]


@dataclass(frozen=True, slots=True)
class Action:
    """An action that players can take, or what a letter does to its recipient."""

    function: Function
    model: type[BaseModel]
    schema: dict[str, Any]
    allowed_when_down: bool
    sends_mail: bool
    takes: Takes | None


def resolve(table: str, mapping: Mapping[str, Any], items: Mapping[str, Any], problems: list[str]) -> dict[str, Action]:
    """The rules of a table of game.toml by name; `items` are the items of the game.

    Faults of a reference are added to `problems`, under `<table>.<name>`. A value that isn't a reference is skipped:
    `Game.parse` reports it.
    """
    references, actions = mapping.get(table), {}
    for name, reference in references.items() if isinstance(references, Mapping) else ():
        if not isinstance(reference, str) or ":" not in reference:
            continue
        try:
            if name in NOT_ACTIONS:
                raise _fault("the ledger uses this name itself")
            actions[name] = _action(reference, items)
        except GameFault as fault:
            problems += [f"{table}.{name}: {problem}" for problem in fault.problems]
        except BaseException as error:
            require_fault(error)
            problems.append(f"{table}.{name}: {reference} can't be used: {said(error)}")
    return actions


def _action(reference: str, items: Mapping[str, Item]) -> Action:
    function = _imported(reference)
    if not callable(function) or isinstance(function, type):
        raise _fault(f"{reference} is not a function")
    _require_plain(function, reference)
    model = _model(function, reference)
    takes = getattr(function, "takes", None)
    if callable(takes):
        _require_plain(takes, f"what {reference} takes")
    elif takes is not None and (fault := fault_of(takes, items)):
        raise _fault(f"{reference} takes what it can't: {fault}")
    marks = getattr(function, "allowed_when_down", False), getattr(function, "sends_mail", False)
    return Action(function, model, _schema(model), *marks, takes)


def _require_plain(function: Callable[..., object], reference: str) -> None:
    """Raises GameFault for what returns before it has run: a coroutine, or a generator."""
    for part in (function, type(function).__call__):
        if inspect.iscoroutinefunction(part) or inspect.isasyncgenfunction(part):
            raise _fault(f"{reference} must be a plain function, not async")
        if inspect.isgeneratorfunction(part):
            raise _fault(f"{reference} must be a plain function, not a generator: it has a yield")


def _fault(problem: str) -> GameFault:
    return GameFault([problem])


def _imported(reference: str) -> object:
    module_name, _, name = reference.partition(":")
    try:
        module = import_module(module_name)
    except BaseException as error:
        require_fault(error)
        raise _fault(f"can't import {module_name}: {said(error)}") from error
    if not hasattr(module, name):
        raise _fault(f"{module_name} has no {name!r}")
    value: object = getattr(module, name)
    return value


def _model(function: Callable[..., object], reference: str) -> type[BaseModel]:
    try:
        parameters = list(inspect.signature(function, eval_str=True).parameters.values())
    except BaseException as error:
        require_fault(error)
        raise _fault(f"can't read the annotations of {reference}: {said(error)}") from error
    if len(parameters) != 3 or any(parameter.kind in _NOT_BY_POSITION for parameter in parameters):
        raise _fault(f"{reference} must take (player, args, moment)")
    model = parameters[1].annotation
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        raise _fault(f"{reference} must annotate {parameters[1].name!r} with a pydantic model")
    if model.model_config.get("extra") != "forbid" or not model.model_config.get("strict"):
        raise _fault(f'{model.__name__} of {reference} must have extra="forbid" and strict=True')
    return model


@functools.cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            # Of a default that isn't JSON pydantic only warns, and leaves it out.
            warnings.simplefilter("error", PydanticJsonSchemaWarning)
            schema = model.model_json_schema()
            json.dumps(schema, allow_nan=False)
    except PydanticUserError as error:
        raise _fault(f"{model.__name__} has no JSON schema: {error.message}") from error
    except BaseException as error:
        require_fault(error)
        raise _fault(f"{model.__name__} has no JSON schema: {said(error)}") from error
    return schema


_NOT_BY_POSITION = (
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)
