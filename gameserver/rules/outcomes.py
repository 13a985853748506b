"""What the rulebook checks and adds when a rule has run: faults of an outcome, totals of its items, and events.

A rule may be untyped code of a studio, so types are checked exactly: nothing else may reach storage.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from gameserver.rules.boards import LARGEST_SCORE
from gameserver.rules.items import Item, Items, fault_of
from gameserver.rules.plain_json import EXACT, FLAT, LARGEST_JSON, MAX_DEPTH, NUL, json_fault
from gameserver.rules.player import Outcome, Player
from gameserver.rules.player_data import data_fault

Event = dict[str, Any]
TAKEN, GRANTED = "items_taken", "items_granted"
"""The types of the events that report which items an action took and granted."""
LEVEL_UP, WENT_DOWN, MAIL_SENT = "level_up", "went_down", "mail_sent"
"""Of what else the server itself reports of a rule's outcome."""
OF_SERVER = frozenset({TAKEN, GRANTED, LEVEL_UP, WENT_DOWN, MAIL_SENT}) | {
    "banned", "ban_lifted", "corrected", "deleted", "device_added", "device_removed", "renamed", "rolled_back",
    "undone",
}  # fmt: skip
"""The types of events that only the server gives: no rule's event may have one of them."""
_NO_EVENTS = 'events must be a tuple of dicts with a "type", none of which the server gives itself'


def fault(before: Player, outcome: object) -> str | None:
    """How an outcome breaks the law of players, if it does; grants, level and max_hp are checked elsewhere."""
    if type(outcome) is not Outcome or type(outcome.player) is not Player:
        return f"returned {type(outcome).__name__}, not an Outcome of a Player"
    return _player_fault(before, outcome.player) or _effects_fault(outcome)


def _player_fault(before: Player, after: Player) -> str | None:
    if after.id != before.id or after.name != before.name or after.created_at != before.created_at:
        return "changed the player's id, name or created_at"
    if type(after.class_name) is not str:
        return f"class_name {after.class_name!r} must be a string"
    if type(after.hp) is not int or type(after.exp) is not int:
        return f"hp {after.hp!r} and exp {after.exp!r} must be whole numbers"
    if after.hp < 0 or after.exp < before.exp:
        return f"hp {after.hp} is below 0, or exp fell from {before.exp} to {after.exp}"
    if after.data is not before.data and (problem := data_fault(after.data)) is not None:
        return problem
    return None


def _effects_fault(outcome: Outcome) -> str | None:
    if (problem := _events_fault(outcome.events)) is not None:
        return problem
    if outcome.points and (type(outcome.points) is not tuple or not all(map(_are_points, outcome.points))):
        return f"points {outcome.points!r} must be pairs of a name and a whole number of at most 53 bits"
    return None


def _events_fault(events: tuple[Event, ...]) -> str | None:
    """Costs little for events that are flat, as nearly all are: others are looked at part by part."""
    if type(events) is not tuple:
        return _NO_EVENTS
    is_flat = True
    for event in events:
        if type(event) is not dict or type(kind := event.get("type")) is not str or kind in OF_SERVER:
            return _NO_EVENTS
        for value in event.values():
            if type(value) not in FLAT:
                is_flat = False
    try:
        text = orjson.dumps(events, None, EXACT)
    except TypeError:
        is_flat = False
    if is_flat and len(text) <= LARGEST_JSON and NUL not in text:
        return None
    problem = json_fault(events, "events", MAX_DEPTH + 1)
    return None if problem is None else f"events aren't JSON that can be kept: {problem}"


def _are_points(value: object) -> bool:
    if type(value) is not tuple or len(value) != 2:
        return False
    name, amount = value
    return type(name) is str and type(amount) is int and -LARGEST_SCORE <= amount <= LARGEST_SCORE


def totals(grants: Items) -> dict[str, int]:
    """Total counts by item; an item may occur several times in `grants`."""
    counts: dict[str, int] = {}
    for item, count in grants:
        counts[item] = counts.get(item, 0) + count
    return counts


def grants_fault(outcome: Outcome, catalogue: Mapping[str, Item]) -> str | None:
    """What is wrong with the items that a rule grants; the same item may occur several times."""
    if not outcome.grants:
        return None if type(outcome.grants) is tuple else "grants must be a tuple of (item, count)"
    try:
        return fault_of(totals(outcome.grants), catalogue)
    except (TypeError, ValueError):
        return "grants must be a tuple of (item, count)"


def with_item_events(outcome: Outcome, taken: Items) -> Outcome:
    """The outcome with the events that report items, and with the grants of each item added up."""
    granted = tuple(sorted(totals(outcome.grants).items()))
    events = [{"type": kind, "items": dict(items)} for kind, items in ((TAKEN, taken), (GRANTED, granted)) if items]
    return outcome._replace(events=(*outcome.events, *events), grants=granted)


def consequences(before: Player, after: Player) -> tuple[Event, ...]:
    """The events that follow from the change: a new level, and going down."""
    events: list[Event] = []
    if after.level > before.level:
        events.append({"type": LEVEL_UP, "level": after.level})
    if after.hp == 0 < before.hp:
        events.append({"type": WENT_DOWN})
    return tuple(events)
