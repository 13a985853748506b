"""What the events of a ledger entry say that it changed about its player: EXP and HP. Pure.

Law: only what the built-in rules say is known. An entry that has another event, too, says nothing: a studio's own rule
may give or take anything, and then it tells of it in its own words.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

EXP = "exp"
HP_OF: Mapping[str, tuple[str, int]] = {
    "hunted": ("damage", -1),
    "challenged": ("damage", -1),
    "duelled": ("damage", -1),
    "heal_cast": ("cost", -1),
    "rested": ("hp", 1),
    "healed": ("hp", 1),
    "revived": ("hp", 1),
    "used": ("hp", 1),
    "season_rewarded": ("", 0),
}
"""The events that tell, and which of their fields is added to HP or taken from it."""
GAINING = frozenset({"hunted", "challenged", "duelled", "season_rewarded"})
"""Those that tell of EXP; by the others there is none."""
BESIDE = frozenset({"items_taken", "items_granted", "level_up", "went_down", "mail_sent"})
"""What the server adds to a rule's events; it changes neither."""


class EntryChange(NamedTuple):
    """By how much EXP and HP changed."""

    exp: int
    hp: int


def change_of(events: Any) -> EntryChange | None:
    """Read what an entry's events say; None if that isn't known."""
    telling = [event for event in events or () if _type_of(event) not in BESIDE]
    changes = [_of_event(event) for event in telling]
    known = [change for change in changes if change is not None]
    if not known or len(known) < len(changes):
        return None
    return EntryChange(sum(change.exp for change in known), sum(change.hp for change in known))


def _of_event(event: Any) -> EntryChange | None:
    kind = _type_of(event)
    if kind not in HP_OF:
        return None
    name, sign = HP_OF[kind]
    exp, hp = event.get(EXP) if kind in GAINING else 0, event.get(name) if name else 0
    return EntryChange(exp, sign * hp) if type(exp) is int and type(hp) is int else None


def _type_of(event: Any) -> str:
    return str(event.get("type")) if isinstance(event, Mapping) else ""
