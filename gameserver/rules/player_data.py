"""What a game's own rules remember of a player: cool-downs, limits of a day, marks.

Law: a flat mapping that never changes, of at most MAX_KEYS names and MAX_BYTES of JSON; a value is exactly an int
within 2^53, a str or a bool, so what is stored comes back equal and in the same order. A rule returns another mapping
to change it (`player.changed`). It lies in the player's row and, where a command changed it, in that command's ledger
row; no client is shown it. The text is parsed only when a rule asks, so players without cool-downs cost nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import orjson

from gameserver.rules.plain_json import MAX_INTEGER

MAX_KEYS = 32
MAX_KEY = 64
MAX_BYTES = 1024
MAX_VALUE = MAX_INTEGER

Datum: TypeAlias = int | str | bool
DataMapping: TypeAlias = Mapping[str, Datum]


class PlayerData(Mapping[str, Datum]):
    """A player's data as its row has it; `text` is the JSON."""

    __slots__ = ("_values", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._values: dict[str, Datum] | None = None

    def __getitem__(self, name: str) -> Datum:
        return self._parsed()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed())

    def __len__(self) -> int:
        return len(self._parsed())

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, PlayerData) else super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text

    def _parsed(self) -> dict[str, Datum]:
        if self._values is None:
            self._values = orjson.loads(self.text)
        return self._values


NO_DATA = PlayerData("{}")


def data_fault(data: object) -> str | None:
    """What is wrong with the data that a rule returned."""
    if type(data) is not dict and type(data) is not PlayerData:
        return f"data must be a dict, not {type(data).__name__}"
    if len(data) > MAX_KEYS:
        return f"data has {len(data)} names, of at most {MAX_KEYS}"
    for name, value in data.items():
        if type(name) is not str or not 0 < len(name) <= MAX_KEY or "\0" in name:
            return f"data has the name {name!r:.80}, which isn't a text of 1 to {MAX_KEY} characters"
        if not _is_storable(value):
            return f"data.{name} is {value!r:.80}: it must be an int within 2^53, a str without NUL, or a bool"
    try:
        size = len(orjson.dumps(dict(data)))
    except TypeError as error:
        return f"data isn't JSON: {error}"
    return None if size <= MAX_BYTES else f"data takes {size} bytes as JSON, of at most {MAX_BYTES}"


def _is_storable(value: object) -> bool:
    if type(value) is int:
        return -MAX_VALUE <= value <= MAX_VALUE
    return type(value) is bool or (type(value) is str and "\0" not in value)


def accepted(before: PlayerData, after: DataMapping) -> PlayerData:
    """The data after a rule, out of the rule's reach; the very object from before if nothing has changed."""
    text = orjson.dumps(dict(after)).decode()
    return before if text == before.text else PlayerData(text)


def changed_values(before: DataMapping, after: DataMapping) -> dict[str, tuple[Datum | None, Datum | None]]:
    """What differs, by name, before and after; None where there is nothing. A bool is never equal to an int."""
    pairs = {name: (before.get(name), after.get(name)) for name in {**before, **after}}
    return {name: both for name, both in pairs.items() if both[0] != both[1] or type(both[0]) is not type(both[1])}


def without_change(present: PlayerData, before: DataMapping, after: DataMapping) -> tuple[PlayerData, Sequence[str]]:
    """The present data without what a command changed from `before` to `after`, and the names whose change stays.

    A name stays that has changed again since, and so do all for which there is no room any more.
    """
    changes, since = changed_values(before, after), changed_values(after, present)
    if not since:
        return accepted(present, before), ()
    taken_back = {name: old for name, (old, _) in changes.items() if name not in since}
    data = {name: value for name, value in {**present, **taken_back}.items() if value is not None}
    if data_fault(data) is not None:
        return present, list(changes)
    return accepted(present, data), [name for name in changes if name in since]


def dump(data: PlayerData) -> str | None:
    """The JSON text that a player's row has, None for no data."""
    return data.text if data.text != NO_DATA.text else None


def load(text: str | None) -> PlayerData:
    """The data of a player's row."""
    return NO_DATA if text is None else PlayerData(text)
