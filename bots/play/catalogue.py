"""What the game on the server offers: actions with the schemas of their arguments, classes, and boards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bots.wire import wire
from bots.wire.door import Door
from bots.wire.link import Link
from bots.wire.unreachable import ADVICE, UnreachableError

FOES = ("slime", "wolf", "ogre")
CLASSES = ("warrior", "fighter", "mage", "priest")


@dataclass(frozen=True, slots=True)
class Board:
    """A board and the class it is for; None means all players."""

    name: str
    class_name: str | None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The game's data; `actions` maps each name to the JSON schema of its arguments."""

    actions: Mapping[str, Mapping[str, Any]]
    classes: tuple[str, ...]
    boards: tuple[Board, ...]
    foes: tuple[str, ...] = FOES
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def boards_of(self, class_name: str) -> list[Board]:
        """The boards that a player of this class stands on."""
        return [board for board in self.boards if board.class_name in (None, class_name)]


async def fetch(link: Link) -> Catalogue:
    """Read the catalogue from the server; raises UnreachableError."""
    actions = parse_actions(await _get(link, "/v1/actions"))
    classes = tuple(parse_names(await _get(link, "/v1/classes"), "classes")) or CLASSES
    boards = tuple(parse_boards(await _get(link, "/v1/boards"), classes))
    foes = _foes(actions) or FOES
    words = {"foe": foes, "class": classes, "class_name": classes}
    return Catalogue(actions, classes, boards, foes, words)


async def _get(link: Link, path: str) -> Mapping[str, Any]:
    reply = await link.ask(wire.Request("catalogue", "GET", path), Door.HTTP)
    if reply.answer is None:
        raise UnreachableError(f"no answer to GET {path} ({reply.last_code}); {ADVICE}")
    if reply.answer.kind is not wire.Kind.OK:
        raise UnreachableError(f"GET {path} is answered {reply.answer.code}: {reply.answer.detail}")
    return reply.answer.body


def _items(body: Any, name: str) -> list[tuple[str, Any]]:
    """Read a list of named things, or a table of them, with or without an envelope, as pairs."""
    value = body.get(name, body.get("value", body)) if isinstance(body, Mapping) else body
    if isinstance(value, Mapping):
        return [(str(key), each) for key, each in value.items()]
    if isinstance(value, list):
        return [_named(each) for each in value]
    raise wire.BadAnswerError(f"expected {name}, got {value!r:.120}")


def _named(item: Any) -> tuple[str, Any]:
    if isinstance(item, str):
        return item, {}
    for key in ("name", "board", "action", "id"):
        if isinstance(item, Mapping) and isinstance(item.get(key), str):
            return item[key], item
    raise wire.BadAnswerError(f"expected something with a name, got {item!r:.120}")


def parse_names(body: Any, name: str) -> list[str]:
    """Read the names alone."""
    return [key for key, _ in _items(body, name)]


def parse_actions(body: Any) -> dict[str, Mapping[str, Any]]:
    """Read each action's schema, which may lie under `args`, `schema`, `arguments` or be the value itself."""
    return {name: _schema(value) for name, value in _items(body, "actions")}


def _schema(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    for key in ("args", "schema", "arguments", "parameters"):
        if isinstance(value.get(key), Mapping):
            return value[key]  # type: ignore[no-any-return]
    return value


def parse_boards(body: Any, classes: Sequence[str]) -> list[Board]:
    """Read the boards of exp; one that doesn't say its class is taken for the class that its name is, or ends in."""
    return [Board(name, _class_of(name, value, classes)) for name, value in _items(body, "boards") if _is_of_exp(value)]


def _is_of_exp(value: Any) -> bool:
    """Whether a board ranks its players' exp as it is, the highest first, which the proof can check."""
    if not isinstance(value, Mapping):
        return True
    told = [value.get("score", "exp"), value.get("season", "all-time"), value.get("order", "desc")]
    limits = [value.get(each) for each in ("min_level", "max_level", "size")]
    return told == ["exp", "all-time", "desc"] and value.get("ties", "first") == "first" and not any(limits)


def _class_of(name: str, value: Any, classes: Sequence[str]) -> str | None:
    if isinstance(value, Mapping) and "class" in value:
        return None if value["class"] is None else str(value["class"])
    return next((each for each in classes if name.endswith(each)), None)


def _foes(actions: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The foes that the schema of `hunt` allows, or none where it doesn't say."""
    schema = actions.get("hunt", {})
    foe = schema.get("properties", {}).get("foe", {})
    if "$ref" in foe:
        foe = schema.get("$defs", {}).get(str(foe["$ref"]).rsplit("/", 1)[-1], {})
    return tuple(str(each) for each in foe.get("enum", ()))
