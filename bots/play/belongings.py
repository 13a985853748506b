"""What a bot's player owns: the sum of what its commands were told to grant and take, against what the server says.

The law: of every item, all that the acknowledged commands granted, less what they took, lies in the player's stack or
was lost to a full one; nothing else does. Pure.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from bots.wire.wire import BadAnswerError

GRANTED, TAKEN = "items_granted", "items_taken"


class Belongings:
    """The record of one bot, by item."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()

    def add(self, events: Any) -> None:
        """Record what an acknowledged command or a line of the ledger changed; raises BadAnswerError."""
        for kind, sign in ((GRANTED, 1), (TAKEN, -1)):
            for item, count in _changes(events, kind):
                self._sums[item] += sign * count

    def owned(self) -> list[str]:
        """The items that there should be some of."""
        return sorted(item for item, count in self._sums.items() if count > 0)

    def faults(self, body: Any) -> list[str]:
        """What is wrong with an answer that tells the stacks; raises BadAnswerError."""
        told = _stacks(body)
        return [
            f"of {item} {self._sums[item]} should be there, told were {told.get(item, 0)}"
            for item in sorted({*self._sums, *told})
            if told.get(item, 0) != self._sums[item]
        ]


def _changes(events: Any, kind: str) -> list[tuple[str, int]]:
    found = [each for each in events or () if isinstance(each, Mapping) and each.get("type") == kind]
    changes = [pair for each in found for pair in dict(each.get("items") or {}).items()]
    if not all(isinstance(count, int) and count > 0 for _, count in changes):
        raise BadAnswerError(f"an event of {kind} has no counts: {changes!r:.200}")
    return changes


def _stacks(body: Any) -> dict[str, int]:
    """How many of each item were ever put on its stack: those on it, and those lost to a full one."""
    stacks = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(stacks, list):
        raise BadAnswerError(f"expected items, got {body!r:.200}")
    found = {each.get("item"): (each.get("count"), each.get("lost"), each.get("max_stack")) for each in stacks}
    if len(found) < len(stacks) or not all(isinstance(part, int) for each in found.values() for part in each):
        raise BadAnswerError(f"stacks without counts, or two of one item: {stacks!r:.200}")
    if above := [item for item, (count, _, most) in found.items() if not 0 <= count <= most]:
        raise BadAnswerError(f"stacks below 0 or above max_stack: {above}")
    return {str(item): count + lost for item, (count, lost, _) in found.items()}
