"""The words of the wire as a client knows them: requests, answers by what to do next, and a player's state.

A request carries both of its forms, HTTP and socket, so that a retry may go through either door. An answer is
sorted by its code where it can be (codes are stable and the same on both doors), by its status otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

SUBPROTOCOL = "gameserver.v1"

NEEDS_LOGIN = frozenset({"not_authenticated", "session_revoked"})
RETRYABLE = frozenset(
    {
        "unavailable",
        "overloaded",
        "database_unavailable",
        "outcome_unknown",
        "board_unavailable",
        "sessions_unavailable",
        "internal",
        "too_many_messages",
        "rate_limited",
    }
)
# Documented to mean that nothing took effect; every other "try again" leaves the fate open.
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
    }
)
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


class BadAnswerError(Exception):
    """The server answered in a shape that the wire contract doesn't know."""


class Kind(Enum):
    """What an answer asks of the client."""

    OK = "ok"
    REFUSED = "refused"
    RETRY = "retry"
    LOGIN = "login"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `uncertain` means that the request may take effect, or have taken it, all the same.

    `lost` stands for a request that got no answer of its own.
    """

    kind: Kind
    code: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None
    uncertain: bool = False
    detail: str = ""
    lost: bool = False


class LostError(Exception):
    """A request that got no answer of its own: no connection, a broken one, or a time-out."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.code)
        self.answer = answer


def lost(code: str, *, arrived: bool) -> LostError:
    """Make the error for a request without an answer; `arrived` is whether it may have reached the server."""
    kind = Kind.LOGIN if code in NEEDS_LOGIN else Kind.RETRY
    return LostError(Answer(kind, code, uncertain=arrived, lost=True))


def kind_of(code: str, status: int | None, retry_after: float | None) -> Kind:
    """Sort an error by its code; `status` is None on a socket."""
    if code in NEEDS_LOGIN:
        return Kind.LOGIN
    if code in RETRYABLE or retry_after is not None or status == 429 or (status or 0) >= 500:
        return Kind.RETRY
    if code in NOT_A_RULE:
        return Kind.FAILED
    if status in (None, 409) or code == "not_on_board":
        return Kind.REFUSED
    return Kind.FAILED


def refusal(error: Mapping[str, Any], status: int | None, retry_after: float | None) -> Answer:
    """Read an error body: a problem document over HTTP or the `error` of a socket's answer."""
    code = str(error.get("code") or f"http_{status}")
    kind = kind_of(code, status, retry_after)
    uncertain = kind is Kind.RETRY and code not in NO_EFFECT
    return Answer(kind, code, error, retry_after, uncertain, str(error.get("detail", "")))


@dataclass(frozen=True, slots=True)
class Request:
    """One request in both of its forms; `key` is the command id, `op` is empty where only HTTP has it."""

    name: str
    method: str
    path: str
    op: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    key: str | None = None


def act(command_id: str, action: str, args: Mapping[str, Any]) -> Request:
    """Ask for an action under a command id of our own."""
    body = {"action": action, "args": args}
    fields = {"command_id": command_id, **body}
    return Request(action, "POST", "/v1/players/me/actions", "act", fields, body, command_id)


def read_me() -> Request:
    """Ask for the player's present state."""
    return Request("read", "GET", "/v1/players/me", "read")


def read_items() -> Request:
    """Ask for what the player owns."""
    return Request("items", "GET", "/v1/players/me/items", "items")


def board_top(board: str, limit: int) -> Request:
    """Ask for the first `limit` places of a board."""
    return Request("board", "GET", f"/v1/boards/{board}?limit={limit}", "board", {"board": board, "limit": limit})


def board_around(board: str, radius: int) -> Request:
    """Ask for the places `radius` above and below one's own."""
    path = f"/v1/boards/{board}/around/me?radius={radius}"
    return Request("around", "GET", path, "around", {"board": board, "radius": radius})


class State(NamedTuple):
    """What the rules change about a player, at one version."""

    version: int
    class_name: str
    level: int
    hp: int
    max_hp: int
    exp: int


def parse_state(player: Any) -> State:
    """Read a player's state; raises BadAnswerError naming the field that is missing or of another type."""
    if not isinstance(player, Mapping):
        raise BadAnswerError(f"expected a player, got {player!r:.80}")
    numbers = {name: _number(player, name) for name in ("version", "level", "hp", "max_hp", "exp")}
    class_name = player.get("class")
    if not isinstance(class_name, str):
        raise BadAnswerError(f"player.class is {class_name!r:.80}, expected a name")
    return State(class_name=class_name, **numbers)


def _number(player: Mapping[str, Any], name: str) -> int:
    value = player.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadAnswerError(f"player.{name} is {value!r:.80}, expected a whole number")
    return value
