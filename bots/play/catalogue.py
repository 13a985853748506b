"""What the game on the server offers: actions with the schemas of their arguments, classes, and boards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bots.play import arguments
from bots.play.arguments import Schema
from bots.wire import requests
from bots.wire.channel import Channel
from bots.wire.errors import BadAnswerError, UnreachableError
from bots.wire.player_client import PlayerClient

FOES = ("slime", "wolf", "ogre")
CLASSES = ("warrior", "fighter", "mage", "priest")


@dataclass(frozen=True, slots=True)
class ExpBoard:
    """A board that ranks by exp, and the class it is for; None means all players."""

    name: str
    class_name: str | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The game's data; `actions` maps each name to the JSON schema of its arguments.

    `words` are values for an argument that the schema leaves open, by the argument's name.
    """

    actions: Mapping[str, Mapping[str, Any]]
    classes: tuple[str, ...]
    boards: tuple[ExpBoard, ...]
    foes: tuple[str, ...] = FOES
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tables: dict[tuple[Any, ...], tuple[list[str], list[int]]] = field(default_factory=dict, compare=False)
    """What the habits' weights come to in each kind of state; they fill it."""
    required: dict[str, Mapping[str, Schema]] = field(default_factory=dict, compare=False)
    """What `required_of` returned before."""

    def required_of(self, action: str) -> Mapping[str, Schema]:
        """The schemas of an action's required arguments; raises CannotFillError."""
        schemas = self.required.get(action)
        if schemas is None:
            schemas = self.required[action] = arguments.required(self.actions[action])
        return schemas

    def boards_of(self, class_name: str) -> list[ExpBoard]:
        """The boards that rank players of this class."""
        return [board for board in self.boards if board.class_name in (None, class_name)]


async def fetch(client: PlayerClient) -> Catalogue:
    """Read the catalogue from the server; raises UnreachableError."""
    actions = parse_actions(await _get(client, "/v1/actions"))
    classes = tuple(parse_names(await _get(client, "/v1/classes"), "classes")) or CLASSES
    boards = tuple(parse_boards(await _get(client, "/v1/boards"), classes))
    foes = _foes(actions) or FOES
    words = {"foe": foes, "class": classes, "class_name": classes}
    return Catalogue(actions, classes, boards, foes, words)


async def _get(client: PlayerClient, path: str) -> Mapping[str, Any]:
    reply = await client.send(requests.get("catalogue", path), Channel.HTTP)
    return reply.require(f"GET {path}", UnreachableError)


def _items(body: Any, name: str) -> list[tuple[str, Any]]:
    """Read a list or a table of named things, with or without an envelope, as pairs of name and value."""
    value = body.get(name, body.get("value", body)) if isinstance(body, Mapping) else body
    if isinstance(value, Mapping):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, list):
        return [_named(item) for item in value]
    raise BadAnswerError(f"expected {name}, got {value!r:.120}")


def _named(item: Any) -> tuple[str, Any]:
    if isinstance(item, str):
        return item, {}
    for key in ("name", "board", "action", "id"):
        if isinstance(item, Mapping) and isinstance(item.get(key), str):
            return item[key], item
    raise BadAnswerError(f"expected something with a name, got {item!r:.120}")


def parse_names(body: Any, name: str) -> list[str]:
    """Read only the names, without those that are marked as retired."""
    items = _items(body, name)
    return [key for key, value in items if not (isinstance(value, Mapping) and value.get("retired"))]


def parse_actions(body: Any) -> dict[str, Mapping[str, Any]]:
    """Read each action's schema: the value itself, or what stands in it under `args`, `schema` or `arguments`."""
    return {name: _schema(value) for name, value in _items(body, "actions")}


def _schema(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    for key in ("args", "schema", "arguments", "parameters"):
        if isinstance(value.get(key), Mapping):
            return value[key]  # type: ignore[no-any-return]
    return value


def parse_boards(body: Any, classes: Sequence[str]) -> list[ExpBoard]:
    """Read the boards that rank by exp; one that doesn't state its class is for the class that its name ends in."""
    return [
        ExpBoard(name, _class_of(name, value, classes)) for name, value in _items(body, "boards") if _ranks_exp(value)
    ]


def _ranks_exp(value: Any) -> bool:
    """Whether a board ranks all of its players by their present exp, the highest first: the proof can check these."""
    if not isinstance(value, Mapping):
        return True
    rules = [value.get("score", "exp"), value.get("season", "all-time"), value.get("order", "desc")]
    limits = [value.get(name) for name in ("min_level", "max_level", "size")]
    return rules == ["exp", "all-time", "desc"] and value.get("ties", "first") == "first" and not any(limits)


def _class_of(name: str, value: Any, classes: Sequence[str]) -> str | None:
    if isinstance(value, Mapping) and "class" in value:
        return None if value["class"] is None else str(value["class"])
    return next((class_name for class_name in classes if name.endswith(class_name)), None)


def _foes(actions: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The foes that the schema of `hunt` allows; none if it doesn't list them."""
    schema = actions.get("hunt", {})
    foe = schema.get("properties", {}).get("foe", {})
    if "$ref" in foe:
        foe = schema.get("$defs", {}).get(str(foe["$ref"]).rsplit("/", 1)[-1], {})
    return tuple(str(name) for name in foe.get("enum", ()))
