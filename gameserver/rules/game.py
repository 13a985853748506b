"""The game's data: the content of config/game.toml, validated; every fault is reported at once, with its path."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from gameserver.rules import boards as board_rules
from gameserver.rules.boards import Board, BoardTable
from gameserver.rules.classes import PlayerClass
from gameserver.rules.errors import BadInput, FieldProblem, RuleBroken, UnknownClass, UnknownFoe, UnknownItem
from gameserver.rules.foes import Foe
from gameserver.rules.items import Item
from gameserver.rules.levels import Levels
from gameserver.rules.section import CONTROL, Key
from gameserver.rules.tuning import Tuning

Table = TypeVar("Table")
Retirable = TypeVar("Retirable", PlayerClass, Foe)
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]

_LEVELS = TypeAdapter(Levels)
_CLASSES = TypeAdapter(Annotated[dict[Key, PlayerClass], Field(min_length=1)])
_FOES = TypeAdapter(dict[Key, Foe])
_ITEMS = TypeAdapter(dict[Key, Item])
_TUNING = TypeAdapter(Tuning)
_ACTIONS = TypeAdapter(Annotated[dict[Key, Reference], Field(min_length=1)])
_MAIL = TypeAdapter(dict[Key, Reference])
_BOARDS = TypeAdapter(dict[Key, BoardTable])
RETURNED, REWARDED = "returned", "rewarded"
"""The rules of `[mail]` for a letter that comes back to its sender undelivered, and for a season's reward."""
_TABLES = ("levels", "classes", "items", "foes", "tuning", "actions", "mail", "boards")


class GameFault(ValueError):
    """game.toml can't be used; `problems` are all faults, each with its path, and the text has one per line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, repr=False)
class Game:
    """The game's data, by name; `actions` and `mail` map each rule to its function, written `module:function`."""

    levels: Levels
    classes: Mapping[str, PlayerClass]
    items: Mapping[str, Item]
    foes: Mapping[str, Foe]
    tuning: Tuning
    actions: Mapping[str, str]
    mail: Mapping[str, str]
    boards: Mapping[str, Board]

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Self:
        """The game of a parsed game.toml. Raises GameFault."""
        problems = [f"{name}: there is no such table" for name in mapping if name not in _TABLES]
        levels = _read(_LEVELS, mapping, "levels", problems)
        classes = _read(_CLASSES, mapping, "classes", problems)
        items = _read(_ITEMS, {"items": {}, **mapping}, "items", problems)
        foes = _read(_FOES, {"foes": {}, **mapping}, "foes", problems)
        tuning = _read(_TUNING, mapping, "tuning", problems)
        actions = _read(_ACTIONS, mapping, "actions", problems)
        mail = _read(_MAIL, {"mail": {}, **mapping}, "mail", problems)
        if mail and RETURNED not in mail:
            problems.append(f"mail.{RETURNED}: a game with mail needs this rule, for letters that can't be delivered")
        tables = _read(_BOARDS, {"boards": {}, **mapping}, "boards", problems)
        boards = {name: table.board(name) for name, table in (tables or {}).items()}
        class_names = mapping.get("classes")
        problems += board_rules.faults(boards, class_names if isinstance(class_names, Mapping) else ())
        problems += _drop_faults(foes or {}, mapping.get("items", {}))
        if REWARDED not in (mail or {}):
            problems += [
                f"boards.{board.name}.rewards: they arrive as letters, for which [mail] needs a rule {REWARDED!r}"
                for board in boards.values()
                if board.rewards
            ]
        if problems or not (levels and classes and tuning and actions) or foes is None or items is None:
            raise GameFault(problems)
        return cls(levels, classes, items, foes, tuning, actions, mail or {}, boards)

    def faults_of_new(self) -> list[str]:
        """What a game.toml that is given today may not have, though one that was published earlier may."""
        tables: dict[str, Mapping[str, PlayerClass | Foe | Item]] = {
            "classes": self.classes, "foes": self.foes, "items": self.items
        }  # fmt: skip
        problems = [
            f"{table}.{name}.title: has a control character"
            for table, entries in tables.items()
            for name, entry in entries.items()
            if CONTROL.search(entry.title)
        ]
        return problems + [
            f"boards.{name}.{fault}"
            for name, board in self.boards.items()
            for fault in board_rules.faults_of_new(board)
        ]

    def player_class(self, name: str, field: str = "class") -> PlayerClass:
        """A class that players can take. Raises UnknownClass, naming `field`, also for a retired one."""
        return _available(self.classes, name, field, UnknownClass)

    def foe(self, name: str, field: str = "args.foe") -> Foe:
        """A foe that players can meet. Raises UnknownFoe, naming `field`, also for a retired one."""
        return _available(self.foes, name, field, UnknownFoe)

    def item(self, name: str, field: str = "args.item") -> Item:
        """The item of this name. Raises UnknownItem, naming `field`."""
        try:
            return self.items[name]
        except KeyError:
            names = ", ".join(self.items)
            raise UnknownItem(errors=[FieldProblem(field, f"must be one of: {names}")]) from None

    def level_of(self, exp: int) -> int:
        """The level of a player with this much EXP."""
        return self.levels.level_of(exp)

    def max_hp(self, class_name: str, level: int) -> int:
        """The most HP of this class at this level. Raises RuleBroken if the game has no such class."""
        player_class = self.classes.get(class_name)
        if player_class is None:
            raise RuleBroken(f"the game has no class {class_name!r}")
        return player_class.max_hp(level)


def faults_of(error: ValidationError, *path: str) -> list[str]:
    """The faults that pydantic reports, each with its path."""
    return [
        f"{'.'.join([*path, *map(str, fault['loc'])])}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _read(adapter: TypeAdapter[Table], mapping: Mapping[str, Any], name: str, problems: list[str]) -> Table | None:
    if name not in mapping:
        problems.append(f"{name}: this table is missing")
        return None
    try:
        return adapter.validate_python(mapping[name])
    except ValidationError as error:
        problems += faults_of(error, name)
        return None


def _drop_faults(foes: Mapping[str, Foe], items: object) -> list[str]:
    known = items if isinstance(items, Mapping) else {}
    problems = []
    for name, foe in foes.items():
        for number, drop in enumerate(foe.drops):
            item = known.get(drop.item)
            if item is None:
                problems.append(f"foes.{name}.drops.{number}.item: there is no item {drop.item!r}")
            elif isinstance(item, Mapping) and item.get("retired") is True and not foe.retired:
                problems.append(f"foes.{name}.drops.{number}.item: the item {drop.item!r} is retired")
    return problems


def _available(table: Mapping[str, Retirable], name: str, field: str, unknown: type[BadInput]) -> Retirable:
    entry = table.get(name)
    if entry is None or entry.retired:
        names = ", ".join(name for name, entry in table.items() if not entry.retired)
        raise unknown(errors=[FieldProblem(field, f"must be one of: {names}")])
    return entry
