"""Items: what a player may own in stacks, what foes drop, and what an action says that it takes and grants.

Law: counts are whole, at least 1 and at most MAX_INTEGER. An action never sees where a player's items are kept: what
it takes is told by its arguments alone (`takes`), before it runs, and it runs only when the player has that much.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import Field

from gameserver.rules.section import Chance, Key, Section, Title

MAX_COUNT = 2**53 - 1
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
"""How many of an item."""
Items = tuple[tuple[str, int], ...]
"""Counts of items, each item once, by name."""
Takes = Callable[[Any], Mapping[str, int]] | Mapping[str, int]
AnyAction = TypeVar("AnyAction", bound=Callable[..., Any])


class Item(Section):
    """An item; a stack holds `max_stack` at most, and what is granted beyond is lost.

    `heal` is what one gives to whoever uses it, in HP; without it the item can't be used.
    """

    title: Title
    max_stack: Count
    heal: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class Drop(Section):
    """What a beaten foe leaves in `chance` of 100 cases."""

    item: Key
    chance: Chance
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 1


def takes(what: Takes) -> Callable[[AnyAction], AnyAction]:
    """Marks an action that takes items of the player: counts by item, or a function of its arguments that gives them.

    A player who hasn't that much is refused with `not_enough_items`, and the action doesn't run.
    """

    def mark(action: AnyAction) -> AnyAction:
        action.__dict__["takes"] = what
        return action

    return mark


def fault_of(counts: object, known: Mapping[str, Item]) -> str | None:
    """What is wrong with the counts that an action takes or grants, by item."""
    if not isinstance(counts, Mapping):
        return f"{type(counts).__name__} isn't counts by item"
    for item, count in counts.items():
        if item not in known:
            return f"there is no item {item!r}"
        if type(count) is not int or not 1 <= count <= MAX_COUNT:
            return f"{count!r} of {item!r} isn't a count"
    return None
