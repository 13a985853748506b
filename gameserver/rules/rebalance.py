"""Plans which slots to move so that every database of a group has its share.

Law: afterwards the databases that keep slots differ by at most one slot, all others have none, and no plan with this
result moves fewer slots.
"""

from collections.abc import Collection, Mapping, Sequence

Moves = Mapping[tuple[str, str], list[int]]
"""Slots by (source, target)."""


def plan(owners: Sequence[str], keepers: Collection[str]) -> Moves:
    """The moves; `owners` are databases by slot, `keepers` (at least one) those that may have slots afterwards."""
    held: dict[str, list[int]] = {name: [] for name in sorted({*owners, *keepers})}
    for slot, name in enumerate(owners):
        held[name].append(slot)
    shares = _shares(held, sorted(keepers), len(owners))
    spare = [(slot, name) for name, slots in held.items() for slot in slots[shares.get(name, 0) :]]
    moves: dict[tuple[str, str], list[int]] = {}
    for target, share in shares.items():
        for _ in range(share - len(held[target])):
            slot, source = spare.pop()
            moves.setdefault((source, target), []).append(slot)
    return {pair: sorted(slots) for pair, slots in sorted(moves.items())}


def _shares(held: Mapping[str, Sequence[int]], keepers: Sequence[str], slots: int) -> dict[str, int]:
    """Number of slots by keeper; the remainder of the division goes to those that have the most."""
    share, over = divmod(slots, len(keepers))
    ordered = sorted(keepers, key=lambda name: -len(held[name]))
    return {name: share + (place < over) for place, name in enumerate(ordered)}
