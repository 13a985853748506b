"""The base of all errors, and what the server can't do right now: a part of `gameserver.rules.errors`."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple


class FieldProblem(NamedTuple):
    """What is wrong with one field; `field` is its path in the request, such as `args.foe`."""

    field: str
    problem: str


class GameError(Exception):
    """A failure with a stable code; `retry_after` is in seconds, `extra` is JSON-able and sent to the client."""

    code: str = "internal"
    sentence: ClassVar[str] = "The server could not carry this out."
    usual_retry_after: ClassVar[float | None] = None
    """Where nothing else is said."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Iterable[FieldProblem] = (),
        retry_after: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.detail = self.sentence if detail is None else detail
        self.errors = list(errors)
        self.retry_after = self.usual_retry_after if retry_after is None else retry_after
        self.extra = dict(extra or {})
        super().__init__(self.detail)


class Unavailable(GameError):
    """Not now; the request may succeed after `retry_after` seconds."""

    code = "unavailable"
    sentence = "The server can't do this right now."
    usual_retry_after = 1


class Overloaded(Unavailable):
    """A queue is full or a deadline would be missed; the command had no effect."""

    code = "overloaded"
    sentence = "The server is overloaded right now."


class DatabaseUnavailable(Unavailable):
    """The player's database can't be reached; but for OutcomeUnknown, the command had no effect."""

    code = "database_unavailable"
    sentence = "The player's database can't be reached right now."


class OutcomeUnknown(DatabaseUnavailable):
    """Whether the commit succeeded is unknown; a retry with the same command id finds out."""

    code = "outcome_unknown"
    sentence = "Whether this took effect is not known yet; retry with the same command id."


class BoardUnavailable(Unavailable):
    """The board is being rebuilt or Redis is unavailable; an incomplete board is never shown."""

    code = "board_unavailable"
    sentence = "The board can't be read right now."


class SessionsUnavailable(Unavailable):
    """Sessions can't be checked because Redis is unavailable."""

    code = "sessions_unavailable"
    sentence = "Sessions can't be checked right now."


class PresenceUnavailable(Unavailable):
    """Who is connected can't be read, and pushes can't be sent, because Redis is unavailable."""

    code = "presence_unavailable"
    sentence = "Who is connected can't be read right now."


class FriendsUnavailable(Unavailable):
    """Friends can't be changed while Redis is unavailable: afterwards it might serve the old ones."""

    code = "friends_unavailable"
    sentence = "Friends can't be changed right now."


class RulesChanging(Unavailable):
    """The rules that are in force at this moment aren't at hand, or others than the request was prepared for."""

    code = "rules_changing"
    sentence = "The rules are being changed; nothing has changed for the player."


class ClassMissing(Unavailable):
    """This node's game doesn't have the player's class; nothing has changed, and a node of another game may do it."""

    code = "class_missing"
    sentence = "The game on this node doesn't have the player's class."
