"""What differs between two contents of game.toml, value by value."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class RuleChange(NamedTuple):
    """A value by its path, such as `foes.slime.exp`; None where a content doesn't have it. A list is one value."""

    value: str
    old: Any
    new: Any


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[RuleChange]:
    """Sorted by path."""
    before, after = dict(_values(old)), dict(_values(new))
    names = sorted({*before, *after})
    return [
        RuleChange(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    ]


def _values(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if not isinstance(value, Mapping):
        yield path, value
        return
    for name, inner in value.items():
        yield from _values(inner, f"{path}.{name}" if path else name)
