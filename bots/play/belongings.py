"""What a bot's player owns: the sum of what its commands granted and took, compared with what the server says.

The law: for every item, all that the acknowledged commands granted, less what they took, is in the player's stack or
was lost because the stack was full; there is nothing else. Pure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bots.wire.errors import BadAnswerError

GRANTED, TAKEN = "items_granted", "items_taken"
SIGNS: Mapping[Any, int] = {GRANTED: 1, TAKEN: -1}


class Belongings:
    """The sums of one player, by item."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._owned: list[str] = []

    def add(self, events: Any) -> None:
        """Add the changes of an acknowledged command or of a ledger entry; raises BadAnswerError."""
        for event in events or ():
            if isinstance(event, dict) and (sign := SIGNS.get(event.get("type"), 0)):
                for item, count in _changes(event):
                    self._sums[item] += sign * count
                self._owned = sorted(item for item, count in self._sums.items() if count > 0)

    def owned(self) -> Sequence[str]:
        """The items of which there should be at least one."""
        return self._owned

    def faults(self, body: Any) -> list[str]:
        """Compare with the server's list of stacks, a sentence for each difference; raises BadAnswerError."""
        totals = _totals(body)
        return [
            f"of {item} there should be {self._sums[item]}, the server has {totals.get(item, 0)}"
            for item in sorted({*self._sums, *totals})
            if totals.get(item, 0) != self._sums[item]
        ]


def _changes(event: Mapping[str, Any]) -> list[tuple[str, int]]:
    changes = [*dict(event.get("items") or {}).items()]
    if not all(isinstance(count, int) and count > 0 for _, count in changes):
        raise BadAnswerError(f"an event of type {event['type']} has no counts: {changes!r:.200}")
    return changes


def _totals(body: Any) -> dict[str, int]:
    """How many of each item were ever put on its stack: those on it, and those lost because it was full."""
    stacks = body.get("items") if isinstance(body, dict) else None
    if not isinstance(stacks, list):
        raise BadAnswerError(f"expected items, got {body!r:.200}")
    counts = {stack.get("item"): (stack.get("count"), stack.get("lost"), stack.get("max_stack")) for stack in stacks}
    if len(counts) < len(stacks) or not all(isinstance(number, int) for row in counts.values() for number in row):
        raise BadAnswerError(f"stacks without counts, or two of one item: {stacks!r:.200}")
    if wrong := [item for item, (count, _, most) in counts.items() if not 0 <= count <= most]:
        raise BadAnswerError(f"stacks below 0 or above max_stack: {wrong}")
    return {str(item): count + lost for item, (count, lost, _) in counts.items()}
