"""Items: what players own in stacks, what foes drop, and how an action declares which items it takes.

Law: counts are whole numbers from 1 to MAX_COUNT. An action never sees where a player's items are stored. What it takes
depends on its arguments alone (`takes`), is known before it runs, and it runs only if the player has that much.
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
    """An item; a stack holds at most `max_stack`, and what is granted beyond that is lost.

    `heal` is the HP that a player gets for using one; an item without it can't be used. A `retired` item can be owned
    and used as before, and no foe drops it.
    """

    title: Title
    max_stack: Count
    heal: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    retired: bool = False


class Drop(Section):
    """What a beaten foe leaves, with a chance in per cent."""

    item: Key
    chance: Chance
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 1


def takes(what: Takes) -> Callable[[AnyAction], AnyAction]:
    """Marks an action that takes items from the player: counts by item, or a function from its arguments to them.

    If the player hasn't that much, the action is refused with `not_enough_items` and doesn't run.
    """

    def mark(action: AnyAction) -> AnyAction:
        action.__dict__["takes"] = what
        return action

    return mark


def fault_of(counts: object, known: Mapping[str, Item]) -> str | None:
    """What is wrong with counts by item that an action takes or grants; None if nothing is."""
    if not isinstance(counts, Mapping):
        return f"{type(counts).__name__} isn't counts by item"
    for item, count in counts.items():
        if item not in known:
            return f"there is no item {item!r}"
        if type(count) is not int or not 1 <= count <= MAX_COUNT:
            return f"{count!r} of {item!r} isn't a count"
    return None
