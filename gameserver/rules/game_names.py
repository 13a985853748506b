"""The names of a game that data refers to: classes and items that players have, and kinds of letters on their way.

Foes and actions are named by commands alone, and boards by their seasons, which store the board's definition.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, NamedTuple

from gameserver.rules.game import Game

Kind = Literal["class", "item", "letter"]
_TABLES = {"class": "classes", "item": "items", "letter": "mail"}
_HELD = {
    "class": "{count} players have this class",
    "item": "{count} players own this item",
    "letter": "{count} letters of this kind are on their way",
}
_REMEDIES = {
    "class": "write it again, with `retired = true` if nobody shall take it any more",
    "item": "write it again, with `retired = true` if no foe shall drop it any more",
    "letter": 'write it again, or as "gameserver.rules.mail:withdrawn", which sends such letters back',
}
WITHDRAWN = "gameserver.rules.mail:withdrawn"
_FIRST = {
    "class": "publish it with `retired = true` first",
    "item": "publish it with `retired = true` first",
    "letter": f'publish it as "{WITHDRAWN}" first',
}


class GameName(NamedTuple):
    """A name and what it is a name of; sorts by both."""

    kind: str
    name: str


def names_of(game: Game) -> set[GameName]:
    """All names of a game that data may refer to, retired ones included."""
    named: Mapping[Kind, Iterable[str]] = {"class": game.classes, "item": game.items, "letter": game.mail}
    return {GameName(kind, name) for kind, names in named.items() for name in names}


def faults(counts: Mapping[GameName, int], game: Game) -> list[str]:
    """What the data holds that the game doesn't have, each with its path in game.toml, its count and the remedy."""
    known = names_of(game)
    return [
        f"{_TABLES[name.kind]}.{name.name}: {_HELD[name.kind].format(count=counts[name])}, and game.toml doesn't have"
        f" it: {_REMEDIES[name.kind]}"
        for name in sorted(counts)
        if name not in known and counts[name]
    ]


def still_given(game: Game, known: Collection[GameName]) -> list[str]:
    """The names that players can still get in this game and that aren't among the known ones, each with the remedy."""
    given = {
        *(GameName("class", name) for name, entry in game.classes.items() if not entry.retired),
        *(GameName("item", name) for name, entry in game.items.items() if not entry.retired),
        *(GameName("letter", name) for name, rule in game.mail.items() if rule != WITHDRAWN),
    }
    return [
        f"{_TABLES[name.kind]}.{name.name}: players can still get it by the rules in force: {_FIRST[name.kind]},"
        " and leave it out later"
        for name in sorted(given)
        if name not in known
    ]
