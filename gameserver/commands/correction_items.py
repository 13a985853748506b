"""What a correction takes from a player's stacks, and what it gives into them.

Law: no more is taken than the player has, and no more is given than fits, so the ledger says of a correction what it
has done. Undoing takes back what a command really gave: what was lost beyond a full stack stays lost. Ledger rows of
actions and letters don't say what was lost, stacks say only how much ever was; so it is worked out from the whole
ledger, and counts only if that leads to what the stacks are. Else as much as was ever lost is left to the player.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from gameserver.commands.correction_scores import MOST_ROWS
from gameserver.rules.items import Item, Items
from gameserver.rules.outcomes import GRANTED, TAKEN
from gameserver.storage.items.inventory import Stack
from gameserver.storage.items.stacks import cap_of, not_enough
from gameserver.storage.ledger.past import Past, PastRow

Given = tuple[str, str]
"""A command id, and an item that the command granted."""


@dataclass(frozen=True, slots=True)
class HeldItems:
    """A player's stacks at one version, and the items of the game."""

    stacks: Mapping[str, Stack]
    catalogue: Mapping[str, Item]

    @classmethod
    def of(cls, stacks: Sequence[Stack], catalogue: Mapping[str, Item]) -> Self:
        return cls({stack.item: stack for stack in stacks}, catalogue)

    def count(self, item: str) -> int:
        return self.stacks[item].count if item in self.stacks else 0

    def lost(self, item: str) -> int:
        return self.stacks[item].lost if item in self.stacks else 0

    def room(self, item: str) -> int:
        """How many more fit."""
        return max(cap_of(self.catalogue, item) - self.count(item), 0)


def given(wanted: Mapping[str, int], held: HeldItems, left: list[str]) -> tuple[Items, Items]:
    """What an operator's order takes and grants. Raises Refused if the player hasn't that much."""
    takes, grants = _signed(wanted)
    if any(count > held.count(item) for item, count in takes):
        raise not_enough(takes)
    return takes, _fitting(grants, held, left)


async def returned(past: Past, rows: Sequence[PastRow], held: HeldItems, left: list[str]) -> tuple[Items, Items]:
    """The items to take from the player, as far as it has them, and to give it, so that rows gave and took none."""
    net, unknown = await _net(past, rows, held)
    for item in unknown:
        stays = min(max(-net[item], 0), held.lost(item))
        net[item] += stays
        left.append(f"Some {item} was lost beyond a full stack, by which command isn't known: {stays} stay.")
    for item, count in net.items():
        if -count > held.count(item):
            left.append(f"Of {-count} {item} to take back the player has only {held.count(item)}.")
            net[item] = -held.count(item)
    takes, grants = _signed(net)
    return takes, _fitting(grants, held, left)


async def before(past: Past, rows: Sequence[PastRow], held: HeldItems) -> dict[str, int | None]:
    """How many of each item the player had before rows, which are the last ones; None where that can't be known."""
    net, unknown = await _net(past, rows, held)
    counts = {item: held.count(item) + net.get(item, 0) for item in sorted({*held.stacks, *net})}
    return {item: None if item in unknown or count < 0 else count for item, count in counts.items()}


def beyond(item: str, count: int, fits: int) -> str:
    """The sentence that says so of what doesn't fit."""
    return f"Of {count} {item} only {fits} fit: what is beyond a full stack is lost."


@dataclass(slots=True)
class _Stacked:
    """A stack as the ledger has made it."""

    cap: int
    count: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    """By command id."""

    def change(self, command_id: str, count: int) -> None:
        fits = min(count, max(self.cap - self.count, 0))
        self.count += fits
        if fits < count:
            self.lost[command_id] = count - fits


async def _net(past: Past, rows: Sequence[PastRow], held: HeldItems) -> tuple[dict[str, int], set[str]]:
    """What would take back what rows gave and took; and the items of which it isn't known what of it was lost."""
    lost, unknown = await _lost(past, rows, held)
    net: dict[str, int] = {}
    for row in rows:
        for item, count in _changes(row):
            really = count - lost.get((row.command_id, item), 0) if count > 0 else count
            net[item] = net.get(item, 0) - really
    return net, unknown


async def _lost(past: Past, rows: Sequence[PastRow], held: HeldItems) -> tuple[dict[Given, int], set[str]]:
    """What of the grants of rows was lost beyond full stacks, and the items of which that isn't known."""
    items = {item for row in rows for item, count in _changes(row) if count > 0 and held.lost(item)}
    if not items:
        return {}, items
    last = past.player.version
    everything = await past.rows(1, last, MOST_ROWS)
    if [row.version for row in everything] != list(range(last, 0, -1)):
        return {}, items
    stacks = {item: _Stacked(cap_of(held.catalogue, item)) for item in items}
    for row in reversed(everything):
        for item, count in _changes(row):
            if item in stacks:
                stacks[item].change(row.command_id, count)
    unknown = {item for item, stack in stacks.items() if not _agrees(stack, item, held)}
    known = [(item, stack) for item, stack in stacks.items() if item not in unknown]
    return {(key, item): lost for item, stack in known for key, lost in stack.lost.items()}, unknown


def _agrees(stack: _Stacked, item: str, held: HeldItems) -> bool:
    return (stack.count, sum(stack.lost.values())) == (held.count(item), held.lost(item))


def _changes(row: PastRow) -> Iterator[tuple[str, int]]:
    """What a command took, below 0, and what it granted, in this order, as they go into stacks."""
    for kind, sign in ((TAKEN, -1), (GRANTED, 1)):
        for event in row.outcome.get("events", ()):
            if event["type"] == kind:
                yield from ((item, sign * count) for item, count in event["items"].items())


def _fitting(grants: Items, held: HeldItems, left: list[str]) -> Items:
    for item, count in grants:
        if count > held.room(item):
            left.append(beyond(item, count, held.room(item)))
    return tuple((item, fits) for item, count in grants if (fits := min(count, held.room(item))))


def _signed(changes: Mapping[str, int]) -> tuple[Items, Items]:
    """What is taken, and what is granted."""
    takes = tuple(sorted((item, -count) for item, count in changes.items() if count < 0))
    return takes, tuple(sorted((item, count) for item, count in changes.items() if count > 0))
