"""Everything that can go wrong for a caller, as one tree of errors with stable codes.

    GameError
    ├─ BadInput bad_input (errors: which field, which problem)
    │   ├─ UnknownAction unknown_action, UnknownClass unknown_class, UnknownFoe unknown_foe
    │   ├─ UnknownItem unknown_item
    │   └─ CommandMismatch command_mismatch, CommandExpired command_expired
    ├─ NotAuthenticated not_authenticated
    │   └─ WrongCredentials wrong_credentials, SessionRevoked session_revoked
    ├─ Forbidden forbidden
    │   └─ Banned banned
    ├─ NotFound not_found
    │   ├─ PlayerNotFound player_not_found, BoardNotFound board_not_found, NotOnBoard not_on_board
    │   └─ SeasonNotFound season_not_found, SessionNotFound session_not_found
    ├─ Conflict conflict
    │   └─ NameTaken name_taken, DeviceTaken device_taken, TooManyFriends too_many_friends
    ├─ RateLimited rate_limited: too often (retry_after: seconds)
    ├─ Refused: a rule says no; the code is the rule's own (player_is_down, full_hp, ...)
    ├─ Unavailable unavailable (retry_after: seconds)
    │   ├─ Overloaded overloaded, DatabaseUnavailable database_unavailable
    │   ├─ OutcomeUnknown outcome_unknown
    │   ├─ BoardUnavailable board_unavailable, SessionsUnavailable sessions_unavailable
    │   └─ PresenceUnavailable presence_unavailable, FriendsUnavailable friends_unavailable
    └─ Internal internal
        └─ RuleBroken internal: an action of the game broke the law of players; `fault` is for the log only

Clients branch on `code`, which never changes; `detail` is a sentence for people. Which HTTP status or closing
code an error has is the transport's to say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field; `field` is its path in the request, such as `args.foe`."""

    field: str
    problem: str


class GameError(Exception):
    """A failure with a stable code; `retry_after` in seconds, `extra` JSON-able and shown to the client."""

    code: str = "internal"
    sentence: ClassVar[str] = "The server could not carry this out."

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
        self.retry_after = retry_after
        self.extra = dict(extra or {})
        super().__init__(self.detail)


class BadInput(GameError):
    """The request is malformed; `errors` names each field at fault."""

    code = "bad_input"
    sentence = "The request has fields that are wrong."


class UnknownAction(BadInput):
    """No action of the game has this name."""

    code = "unknown_action"
    sentence = "The game has no such action."


class UnknownClass(BadInput):
    """No class of the game has this name."""

    code = "unknown_class"
    sentence = "The game has no such class."


class UnknownFoe(BadInput):
    """No foe of the game has this name."""

    code = "unknown_foe"
    sentence = "The game has no such foe."


class UnknownItem(BadInput):
    """No item of the game has this name."""

    code = "unknown_item"
    sentence = "The game has no such item."


class CommandMismatch(BadInput):
    """A command id that was used before, now with another body."""

    code = "command_mismatch"
    sentence = "This command id was used with another body."


class CommandExpired(BadInput):
    """A new command id whose time lies outside the window; `extra` tells the server's time."""

    code = "command_expired"
    sentence = "The time in this command id is too far from the server's."


class NotAuthenticated(GameError):
    """No token, or one that is malformed or unknown."""

    code = "not_authenticated"
    sentence = "A valid session token is needed."


class WrongCredentials(NotAuthenticated):
    """The device, or the name and password, don't match a player."""

    code = "wrong_credentials"
    sentence = "The credentials are wrong."


class SessionRevoked(NotAuthenticated):
    """The session was valid once and has been ended."""

    code = "session_revoked"
    sentence = "This session has been ended."


class Forbidden(GameError):
    """Known, but not allowed to do this."""

    code = "forbidden"
    sentence = "This is not allowed."


class Banned(Forbidden):
    """The player exists and the credentials are right, but he may not play."""

    code = "banned"
    sentence = "This player is banned."


class NotFound(GameError):
    """Nothing is at this address."""

    code = "not_found"
    sentence = "There is nothing here."


class PlayerNotFound(NotFound):
    """No player has this id or name."""

    code = "player_not_found"
    sentence = "There is no such player."


class BoardNotFound(NotFound):
    """The game has no board of this name."""

    code = "board_not_found"
    sentence = "There is no such board."


class SeasonNotFound(NotFound):
    """The board has no season of this name, or its standings aren't kept any more."""

    code = "season_not_found"
    sentence = "There is no such season."


class NotOnBoard(NotFound):
    """The player exists but is not ranked on this board."""

    code = "not_on_board"
    sentence = "The player is not on this board."


class SessionNotFound(NotFound):
    """The player has no session of this id."""

    code = "session_not_found"
    sentence = "There is no such session."


class Conflict(GameError):
    """The request contradicts the present state."""

    code = "conflict"
    sentence = "This contradicts the present state."


class NameTaken(Conflict):
    """Another player holds a name with the same key."""

    code = "name_taken"
    sentence = "This name is taken."


class DeviceTaken(Conflict):
    """Another player signs in with this device."""

    code = "device_taken"
    sentence = "This device already has a player."


class TooManyFriends(Conflict):
    """The player has as many friends as the settings allow."""

    code = "too_many_friends"
    sentence = "You can't have more friends."


class Refused(GameError):
    """A rule says no and nothing has changed; `code` is the rule's own, such as `player_is_down`."""

    code = "refused"
    sentence = "A rule of the game refuses this."

    def __init__(self, code: str, detail: str, *, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail, extra=extra)
        self.code = code


class RateLimited(GameError):
    """Too often; nothing has changed, and the same request may succeed after `retry_after` seconds."""

    code = "rate_limited"
    sentence = "This was asked too often."


class Unavailable(GameError):
    """Not now; the same request may succeed after `retry_after` seconds."""

    code = "unavailable"
    sentence = "The server can't do this just now."


class Overloaded(Unavailable):
    """A queue is full or a deadline would be missed; the command took no effect."""

    code = "overloaded"
    sentence = "The server has too much to do just now."


class DatabaseUnavailable(Unavailable):
    """The player's database can't be reached; the command took no effect."""

    code = "database_unavailable"
    sentence = "The player's database can't be reached just now."


class OutcomeUnknown(Unavailable):
    """The commit's fate is unknown; a retry under the same command id learns it."""

    code = "outcome_unknown"
    sentence = "Whether this took effect is not known yet; retry under the same command id."


class BoardUnavailable(Unavailable):
    """The board is being rebuilt or Redis is away; a board is never shown short."""

    code = "board_unavailable"
    sentence = "The board can't be read just now."


class SessionsUnavailable(Unavailable):
    """Sessions can't be checked because Redis is away."""

    code = "sessions_unavailable"
    sentence = "Sessions can't be checked just now."


class PresenceUnavailable(Unavailable):
    """Who is connected, and what they are to be told, can't be asked or said because Redis is away."""

    code = "presence_unavailable"
    sentence = "Who is connected can't be told just now."


class FriendsUnavailable(Unavailable):
    """Friends can't be changed because Redis is away: it might show the old ones when it comes back."""

    code = "friends_unavailable"
    sentence = "Friends can't be changed just now."


class Internal(GameError):
    """A fault of the server's own; its text stays in the log."""

    code = "internal"
    sentence = "The server made a mistake; it has been logged."


class RuleBroken(Internal):
    """An action broke the law of players, so that it was not applied; `fault` says how, for the log."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def __str__(self) -> str:
        return self.fault
