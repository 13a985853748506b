"""The answers of the server, sorted by what the client has to do next.

An answer is sorted by its code where that is known (codes are stable and the same on both channels), otherwise by its
HTTP status.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

NEEDS_LOGIN = frozenset({"not_authenticated", "session_revoked"})
RETRYABLE = frozenset(
    {
        "unavailable",
        "overloaded",
        "database_unavailable",
        "outcome_unknown",
        "board_unavailable",
        "sessions_unavailable",
        "presence_unavailable",
        "friends_unavailable",
        "rules_changing",
        "class_missing",
        "internal",
        "too_many_messages",
        "rate_limited",
        "too_many_changes",
    }
)
# The documentation says of these that nothing took effect; after any other retryable error the fate is open.
NO_EFFECT = frozenset(
    {"overloaded", "database_unavailable", "sessions_unavailable", "board_unavailable", "rate_limited"}
)
NOT_A_RULE = frozenset(
    {
        "bad_input",
        "bad_json",
        "bad_frame",
        "too_large",
        "method_not_allowed",
        "unknown_action",
        "unknown_class",
        "unknown_foe",
        "unknown_op",
        "command_mismatch",
        "command_expired",
        "wrong_credentials",
        "forbidden",
        "not_found",
        "player_not_found",
        "board_not_found",
        "banned",
    }
)
# Said of a player that was banned or deleted: another sending of the same command may have taken effect before.
OF_THE_PLAYER = frozenset({"banned", "player_not_found", "wrong_credentials"})
CLOSE_CODES = {
    1001: "going_away",
    1006: "disconnected",
    1011: "internal",
    4400: "bad_frame",
    4401: "not_authenticated",
    4408: "too_slow",
    4409: "session_revoked",
    4429: "too_many_messages",
}


class AnswerKind(Enum):
    """What an answer means: success, a refusal by a rule, retry, log in and retry, or a failure that is final."""

    OK = "ok"
    REFUSED = "refused"
    RETRY = "retry"
    LOGIN = "login"
    FAILED = "failed"


OK, RETRY, LOGIN = AnswerKind.OK, AnswerKind.RETRY, AnswerKind.LOGIN
"""The kinds that every answer is compared with: an enumeration takes longer to look its members up than a module."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Answer(NamedTuple):
    """One answer; `retry_after` is in seconds.

    `uncertain` means that the request may have taken effect, or still may, whatever the answer says. `lost` stands
    for a request that got no answer of its own. `node` is who answered, where an HTTP answer says so.
    """

    kind: AnswerKind
    code: str = ""
    body: Mapping[str, Any] = NOTHING
    retry_after: float | None = None
    uncertain: bool = False
    detail: str = ""
    lost: bool = False
    node: str = ""

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.kind is OK


class LostError(Exception):
    """A request that got no answer of its own: no connection, a broken one, or a timeout."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.code)
        self.answer = answer


def lost(code: str, *, arrived: bool) -> LostError:
    """Make the error for a request without an answer; `arrived` is whether it may have reached the server."""
    kind = AnswerKind.LOGIN if code in NEEDS_LOGIN else AnswerKind.RETRY
    return LostError(Answer(kind, code, uncertain=arrived, lost=True))


def kind_of(code: str, status: int | None, retry_after: float | None) -> AnswerKind:
    """Sort an error by its code, then by its HTTP status, which is None on a socket.

    A rule's refusal is the command's final answer, also with a time: another command may be sent after it.
    """
    if code in NEEDS_LOGIN:
        return AnswerKind.LOGIN
    if code in RETRYABLE or status == 429 or (status or 0) >= 500:
        return AnswerKind.RETRY
    if code not in NOT_A_RULE and (status in (None, 409) or code == "not_on_board"):
        return AnswerKind.REFUSED
    return AnswerKind.FAILED if retry_after is None else AnswerKind.RETRY


def refusal(error: Mapping[str, Any], status: int | None, retry_after: float | None, node: str = "") -> Answer:
    """Read an error body: a problem document over HTTP or the `error` of a socket's answer."""
    code = str(error.get("code") or f"http_{status}")
    kind = kind_of(code, status, retry_after)
    uncertain = kind is AnswerKind.RETRY and code not in NO_EFFECT
    return Answer(kind, code, error, retry_after, uncertain, str(error.get("detail", "")), node=node)
