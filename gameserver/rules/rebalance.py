"""Which slots have to move so that every database of a group has its share. Pure.

Law: afterwards no database has more than one slot more than another, a database that isn't to keep any has none, and no
plan with the same end moves fewer slots.
"""

from collections.abc import Collection, Mapping, Sequence

Moves = Mapping[tuple[str, str], list[int]]
"""Slots by (source, target)."""


def plan(owners: Sequence[str], keepers: Collection[str]) -> Moves:
    """What has to move; `owners` by slot, `keepers` the databases that may have any, at least one."""
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
    """Slots by keeper; those who have the most get the ones that are over."""
    share, over = divmod(slots, len(keepers))
    ordered = sorted(keepers, key=lambda name: -len(held[name]))
    return {name: share + (place < over) for place, name in enumerate(ordered)}
