"""The protocol: what requests may hold, which status an error has, and why sockets close (answers.py: what is said)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from gameserver.rules.arguments import MAX_PATH, MAX_PROBLEMS
from gameserver.rules.errors import (
    BadInput,
    CommandExpired,
    CommandMismatch,
    Conflict,
    FieldProblem,
    Forbidden,
    GameError,
    Internal,
    NotAuthenticated,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
)

LARGEST_BODY = 16 * 1024
SUBPROTOCOL = "gameserver.v1"
HEARTBEAT_SECONDS = 20
TOPICS = frozenset({"player", "mail", "notice", "season"})
"""What a socket is pushed until it subscribes to something else."""
RANK_TOPIC = "rank:"
"""Begins the topic of a board: `rank:exp` tells of the player's own place on `exp`."""


class BadJson(BadInput):
    """The body isn't JSON, or not an object."""

    code = "bad_json"


class TooLarge(BadInput):
    """The body or frame is over LARGEST_BODY bytes."""

    code = "too_large"


class TooSlow(BadInput):
    """The body didn't come in time."""

    code = "too_slow"


class TooManyMessages(RateLimited):
    """A socket sends more frames than it may, and is closed."""

    code = "too_many_messages"


class MethodNotAllowed(NotFound):
    """The path exists, with other methods."""

    code = "method_not_allowed"


STATUSES: dict[type[GameError], int] = {
    BadJson: 400,
    TooLarge: 413,
    TooSlow: 408,
    BadInput: 422,
    CommandMismatch: 422,
    CommandExpired: 422,
    NotAuthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    Refused: 409,
    RateLimited: 429,
    Unavailable: 503,
    Internal: 500,
}


class Close:
    """Why the server closes a socket; those under 4000 are RFC 6455's."""

    GOING_AWAY = 1001
    INTERNAL = 1011
    TRY_AGAIN_LATER = 1013
    BAD_FRAME = 4400
    NOT_AUTHENTICATED = 4401
    TOO_SLOW = 4408
    SESSION_REVOKED = 4409
    TOO_MANY = 4429


CLOSES: dict[type[GameError], int] = {
    BadInput: Close.BAD_FRAME,
    RateLimited: Close.TOO_MANY,
    Unavailable: Close.TRY_AGAIN_LATER,
    Internal: Close.INTERNAL,
}


def close_code_of(error: type[GameError]) -> int:
    """Why a socket is closed whose hello ended in this error."""
    return next((CLOSES[kind] for kind in error.__mro__ if kind in CLOSES), Close.NOT_AUTHENTICATED)


def status_of(error: type[GameError]) -> int:
    """The HTTP status of an error, its own or the nearest ancestor's. Raises LookupError if none has one."""
    for kind in error.__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    raise LookupError(f"{error.__name__} has no HTTP status")


Model = TypeVar("Model", bound=BaseModel)


def parse_json(body: bytes | str) -> dict[str, Any]:
    """An object from JSON text. Raises BadJson."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadJson(f"This isn't JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadJson("A JSON object is needed.")
    return value


def parse(model: type[Model], value: Mapping[str, Any]) -> Model:
    """A request of decoded JSON or a query. Raises BadInput naming the fields at fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_PROBLEMS]
        raise BadInput("The request can't be used.", errors=[_problem(each) for each in faults]) from None


def _problem(fault: Any) -> FieldProblem:
    return FieldProblem(".".join(map(str, fault["loc"]))[:MAX_PATH], fault["msg"])


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


PlayerId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,19}$")]
Credential = Annotated[str, Field(min_length=8, max_length=256)]
Label = Annotated[str, Field(max_length=64)]
"""What a session's device is called in the list of sessions; the User-Agent's beginning if it isn't given."""
ShortText = Annotated[str, Field(min_length=1, max_length=64)]


class SignUp(_Request):
    """`name` and `password` are checked by the game's own rules, too."""

    name: Annotated[str, Field(max_length=20_000)]
    class_name: Annotated[ShortText, Field(alias="class")]
    device: Credential | None = None
    password: Credential | None = None
    label: Label | None = None


class Rename(_Request):
    """`name` is checked by the game's own rules, too."""

    name: Annotated[str, Field(max_length=20_000)]


class SignIn(_Request):
    """Either `device`, or `name` and `password`."""

    device: Annotated[str, Field(max_length=256)] | None = None
    name: Annotated[str, Field(max_length=1000)] | None = None
    password: Annotated[str, Field(max_length=256)] | None = None
    label: Label | None = None


class PasswordChange(_Request):
    """`old` is left out by a player who has none."""

    old: Annotated[str, Field(max_length=256)] | None = None
    new: Credential


class Act(_Request):
    action: ShortText
    args: dict[str, Any] = Field(default_factory=dict)


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


def _split(text: object) -> object:
    return text.split(",") if isinstance(text, str) else text


Ids = Annotated[list[PlayerId], Field(min_length=1, max_length=100), BeforeValidator(_split)]
Cursor = Annotated[str, Field(min_length=1, max_length=256)]


class NoQuery(_Query):
    pass


class PlayersQuery(_Query):
    ids: Ids


class LedgerQuery(_Query):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None


Season = Annotated[
    str, StringConstraints(pattern=r"^(current|previous|all-time|\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.0{1,6})?)?Z)$")
]
"""`current`, `previous`, `all-time` on a board without seasons, or the time at which the season began, in UTC."""


class FeedQuery(_Query):
    limit: Annotated[int, Field(ge=1, le=50)] = 20


class InboxQuery(_Query):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None


class SeasonQuery(_Query):
    season: Season = "current"


class BoardQuery(SeasonQuery):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None


class AroundQuery(SeasonQuery):
    radius: Annotated[int, Field(ge=0, le=100)] = 5


class RanksQuery(SeasonQuery):
    ids: Ids


class RankingsQuery(_Query):
    by: Literal["exp", "level", "hp", "created_at"] = "exp"
    class_name: Annotated[ShortText | None, Field(alias="class")] = None
    min_level: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    max_level: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    order: Literal["asc", "desc"] = "desc"
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Cursor | None = None


class _Frame(_Request):
    id: Annotated[str, Field(max_length=64)] | Annotated[int, Field(ge=0, lt=1 << 53)]


class Resume(_Request):
    """`stream` is empty for a client whose hello was answered while Redis was away."""

    stream: Annotated[str, Field(max_length=64)]
    seq: Annotated[int, Field(ge=0, lt=1 << 53)]


class HelloFrame(_Frame):
    op: Literal["hello"]
    token: Annotated[str, Field(max_length=256)]
    resume: Resume | None = None


class ActFrame(_Frame):
    op: Literal["act"]
    action: ShortText
    args: dict[str, Any] = Field(default_factory=dict)
    command_id: Annotated[str, Field(max_length=64)] | None = None


class ReadFrame(_Frame):
    op: Literal["read"]


class ItemsFrame(_Frame):
    op: Literal["items"]


class BoardFrame(_Frame):
    op: Literal["board"]
    board: ShortText
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None
    season: Season = "current"


class AroundFrame(_Frame):
    op: Literal["around"]
    board: ShortText
    radius: Annotated[int, Field(ge=0, le=100)] = 5
    season: Season = "current"


class SubscribeFrame(_Frame):
    op: Literal["subscribe"]
    topics: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)]


class Notice(_Request):
    """To all, or to one player; `reason` is for the audit log."""

    player: PlayerId | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


Reason = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""For the audit log."""


class Because(_Request):
    """Why an admin does something."""

    reason: Reason


class ReasonQuery(_Query):
    reason: Reason


class CheckQuery(SeasonQuery):
    """About how many players are compared."""

    sample: Annotated[int, Field(ge=1, le=10_000)] = 1000


class Rebuild(Because):
    season: Season = "current"


class NodesQuery(_Query):
    ids: Annotated[list[PlayerId], Field(max_length=100), BeforeValidator(_split)] = Field(default_factory=list)


class PingFrame(_Frame):
    op: Literal["ping"]
