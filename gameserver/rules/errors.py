"""Everything that can go wrong for a client, as one tree of errors with stable codes.

    GameError
    ├─ BadInput bad_input (errors: which field, which problem)
    │   ├─ UnknownAction unknown_action, UnknownClass unknown_class, UnknownFoe unknown_foe, UnknownItem unknown_item
    │   └─ CommandMismatch command_mismatch, CommandExpired command_expired
    ├─ NotAuthenticated not_authenticated
    │   └─ WrongCredentials wrong_credentials, SessionRevoked session_revoked
    ├─ Forbidden forbidden
    │   └─ Banned banned, ProofNeeded proof_needed, OtherOperator other_operator
    ├─ NotFound not_found
    │   ├─ PlayerNotFound player_not_found, SessionNotFound session_not_found, DeviceNotFound device_not_found
    │   └─ BoardNotFound board_not_found, NotOnBoard not_on_board, SeasonNotFound season_not_found,
    │       StateUnknown state_unknown, QueryNotFound query_not_found
    ├─ Conflict conflict
    │   └─ NameTaken name_taken, DeviceTaken device_taken, TooManyFriends too_many_friends,
    │       TooManyBlocks too_many_blocks, TooManyDevices too_many_devices, LastCredential last_credential,
    │       PlayerChanged player_changed, NotUndoable not_undoable, TooManyQueries too_many_queries
    ├─ RateLimited rate_limited: too often (retry_after: seconds)
    │   └─ TooManyChanges too_many_changes
    ├─ Refused: a rule says no; the code is the rule's own (player_is_down, full_hp, ...)
    ├─ Unavailable unavailable (retry_after: seconds)
    │   ├─ Overloaded overloaded
    │   ├─ DatabaseUnavailable database_unavailable
    │   │   └─ OutcomeUnknown outcome_unknown: it may have taken effect
    │   ├─ BoardUnavailable board_unavailable, SessionsUnavailable sessions_unavailable
    │   ├─ PresenceUnavailable presence_unavailable, FriendsUnavailable friends_unavailable
    │   └─ ClassMissing class_missing: the node's game doesn't have the player's class,
    │       RulesChanging rules_changing: the rules in force at this moment aren't at hand
    └─ Internal internal
        └─ RuleBroken internal: a rule of the game broke the law of players; only the log shows `fault`

Clients branch on `code`, which never changes; `detail` is for people. The transport maps errors to statuses.
"""

from collections.abc import Mapping
from typing import Any

from gameserver.rules.failures import BoardUnavailable as BoardUnavailable
from gameserver.rules.failures import ClassMissing as ClassMissing
from gameserver.rules.failures import DatabaseUnavailable as DatabaseUnavailable
from gameserver.rules.failures import FieldProblem as FieldProblem
from gameserver.rules.failures import FriendsUnavailable as FriendsUnavailable
from gameserver.rules.failures import GameError as GameError
from gameserver.rules.failures import OutcomeUnknown as OutcomeUnknown
from gameserver.rules.failures import Overloaded as Overloaded
from gameserver.rules.failures import PresenceUnavailable as PresenceUnavailable
from gameserver.rules.failures import RulesChanging as RulesChanging
from gameserver.rules.failures import SessionsUnavailable as SessionsUnavailable
from gameserver.rules.failures import Unavailable as Unavailable
from gameserver.rules.missing import BoardNotFound as BoardNotFound
from gameserver.rules.missing import DeviceNotFound as DeviceNotFound
from gameserver.rules.missing import NotFound as NotFound
from gameserver.rules.missing import NotOnBoard as NotOnBoard
from gameserver.rules.missing import PlayerNotFound as PlayerNotFound
from gameserver.rules.missing import QueryNotFound as QueryNotFound
from gameserver.rules.missing import SeasonNotFound as SeasonNotFound
from gameserver.rules.missing import SessionNotFound as SessionNotFound
from gameserver.rules.missing import StateUnknown as StateUnknown


class BadInput(GameError):
    """The request is malformed; `errors` has an entry for every wrong field."""

    code = "bad_input"
    sentence = "The request has wrong fields."


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
    """The command id was used before with another body."""

    code = "command_mismatch"
    sentence = "This command id was used with another body."


class CommandExpired(BadInput):
    """The time in a new command id is outside the window; `extra` has the server's time."""

    code = "command_expired"
    sentence = "The time in this command id is too far from the server's."


class NotAuthenticated(GameError):
    """The token is missing, malformed or unknown."""

    code = "not_authenticated"
    sentence = "A valid session token is needed."


class WrongCredentials(NotAuthenticated):
    """The device, or the name and password, don't match a player."""

    code = "wrong_credentials"
    sentence = "The credentials are wrong."


class SessionRevoked(NotAuthenticated):
    """The session was valid and has been ended."""

    code = "session_revoked"
    sentence = "This session has been ended."


class Forbidden(GameError):
    """The client is known, but not allowed to do this."""

    code = "forbidden"
    sentence = "This is not allowed."


class Banned(Forbidden):
    """The player exists and the credentials are right, but the player is banned."""

    code = "banned"
    sentence = "This player is banned."


class ProofNeeded(Forbidden):
    """Only a session that was opened lately, and with the password if there is one, may do this."""

    code = "proof_needed"
    sentence = "Sign in again first."


class OtherOperator(Forbidden):
    """A page of the console asks as one operator, and the browser's session has become that of another one."""

    code = "other_operator"
    sentence = "This browser has signed in as another operator."


class Conflict(GameError):
    """The request conflicts with the present state."""

    code = "conflict"
    sentence = "This conflicts with the present state."


class PlayerChanged(Conflict):
    """The player has changed since a correction of it was planned."""

    code = "player_changed"
    sentence = "The player has changed meanwhile: try again."


class NotUndoable(Conflict):
    """What was done can't be undone; `detail` says why."""

    code = "not_undoable"
    sentence = "This can't be undone."


class TooManyDevices(Conflict):
    """The player has as many devices as it may have."""

    code = "too_many_devices"
    sentence = "This player has too many devices: remove one first."


class LastCredential(Conflict):
    """Without this device the player couldn't sign in any more."""

    code = "last_credential"
    sentence = "The player couldn't sign in any more: add another device, or set a password first."


class NameTaken(Conflict):
    """Another player has a name with the same key."""

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


class TooManyQueries(Conflict):
    """Operators have saved as many queries as there may be."""

    code = "too_many_queries"
    sentence = "There can't be more saved queries."


class TooManyBlocks(Conflict):
    """The player blocks as many players as the settings allow."""

    code = "too_many_blocks"
    sentence = "You can't block more players."


class Refused(GameError):
    """A rule refuses the action and nothing has changed; the rule sets `code`, such as `player_is_down`."""

    code = "refused"
    sentence = "A rule of the game refuses this."

    def __init__(self, code: str, detail: str, *, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail, extra=extra)
        self.code = code


class RateLimited(GameError):
    """A limit is exceeded; nothing has changed, and the request may succeed after `retry_after` seconds."""

    code = "rate_limited"
    sentence = "There were too many requests of this kind."
    usual_retry_after = 1


class TooManyChanges(RateLimited):
    """Too many changes of the same player's name are under way; this one may be sent again."""

    code = "too_many_changes"
    sentence = "Too many changes of this player are under way: send it again."


class Internal(GameError):
    """A fault of the server; only the log has its text."""

    sentence = "The server failed; the failure has been logged."


class RuleBroken(Internal):
    """A rule broke the law of players and was not applied; for the log, `fault` says how and `where` is `file:line`."""

    def __init__(self, fault: str, where: str = "") -> None:
        super().__init__()
        self.fault, self.where = fault, where
        self.args = (fault,)  # the text of the exception
