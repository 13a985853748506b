"""Reads the bodies of answers: a player's id and state, and the letters that a command sent."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from bots.wire.errors import BadAnswerError


class State(NamedTuple):
    """What the rules change about a player, at one version."""

    version: int
    class_name: str
    level: int
    hp: int
    max_hp: int
    exp: int

    def __str__(self) -> str:
        hp = f"hp {self.hp} of {self.max_hp}"
        return f"version {self.version} ({self.class_name}, level {self.level}, {hp}, exp {self.exp})"


EXPECTED = {"version": int, "class": str, "level": int, "hp": int, "max_hp": int, "exp": int}
"""The fields of a player that make a State, in its order, and their types."""
FIELDS, TYPES = itemgetter(*EXPECTED), [*EXPECTED.values()]


class MailSent(NamedTuple):
    """A letter that a command sent: its id, the recipient's id, and the rule that applies it there."""

    mail_id: str
    to: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} to {self.to} ({self.mail_id})"


def player_of(body: Any) -> Any:
    """Return the player in an answer, with or without an envelope."""
    return body.get("player", body)


def player_id(player: Any) -> str:
    """Return a player's id; raises BadAnswerError."""
    value = player.get("id") if isinstance(player, dict) else None
    if not isinstance(value, str):
        raise BadAnswerError(f"expected a player with an id, got {player!r:.120}")
    return value


def parse_state(player: Any) -> State:
    """Read a player's state; raises BadAnswerError naming the field that is missing or of another type."""
    try:
        state = State(*FIELDS(player))
    except (KeyError, TypeError):
        raise _bad_player(player) from None
    if [*map(type, state)] != TYPES:
        raise _bad_player(player)
    return state


def _bad_player(player: Any) -> BadAnswerError:
    if not isinstance(player, Mapping):
        return BadAnswerError(f"expected a player, got {player!r:.80}")
    wrong = {name: kind for name, kind in EXPECTED.items() if type(player.get(name)) is not kind}
    name, kind = next(iter(wrong.items()))
    what = "a name" if kind is str else "a whole number"
    return BadAnswerError(f"player.{name} is {player.get(name)!r:.80}, expected {what}")


def parse_letters(events: Any) -> tuple[MailSent, ...]:
    """Read the letters from a command's events; raises BadAnswerError."""
    return tuple(_letter(event) for event in events_of_type(events, "mail_sent"))


def _letter(event: Mapping[str, Any]) -> MailSent:
    mail_id, to, kind = event.get("mail_id"), event.get("to"), event.get("kind")
    if not (isinstance(mail_id, str) and isinstance(to, str) and isinstance(kind, str)):
        raise BadAnswerError(f"the event of a letter lacks its id, its recipient or its kind: {event!r:.200}")
    return MailSent(mail_id, to, kind)


def events_of_type(events: Any, event_type: str) -> list[Mapping[str, Any]]:
    """Return a command's events of one type; a command without events has none."""
    return [event for event in events or () if isinstance(event, dict) and event.get("type") == event_type]
