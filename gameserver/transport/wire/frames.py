"""The frames that a client sends over a socket: `op` says which one it is, and the answer repeats its `id`."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from gameserver.rules.arguments import MAX_INTEGER
from gameserver.transport.wire.fields import BoardLimit, Cursor, JsonModel, MaxStaleness, Radius, Season, ShortText

LONGEST_ID = 64
SUBPROTOCOL = "gameserver.v1"
SOCKET_VERSION = "13"
"""RFC 6455's."""
HEARTBEAT_SECONDS = 20
RANK_TOPIC = "rank:"
"""Begins the topic of a board: `rank:exp` is the player's own place on `exp`."""
TOPICS = frozenset({"player", "mail", "notice", "season"})
"""The topics that a socket is pushed until it subscribes to others."""


def _frame_id(given: object) -> str | int:
    if isinstance(given, str) and len(given) <= LONGEST_ID:
        return given
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= MAX_INTEGER:
        return given
    raise PydanticCustomError(
        "frame_id", "must be an integer from 0 to {most}, or a text of up to {length} characters",
        {"most": MAX_INTEGER, "length": LONGEST_ID},
    )  # fmt: skip


class Frame(JsonModel):
    """`traceparent` is what W3C's header of this name is over HTTP; what can't be understood is ignored."""

    id: Annotated[str | int, PlainValidator(_frame_id)]
    traceparent: Annotated[str, Field(max_length=128)] | None = None


class Resume(JsonModel):
    """`stream` is empty for a client whose hello was answered while Redis was away."""

    stream: Annotated[str, Field(max_length=64)]
    seq: Annotated[int, Field(ge=0, lt=1 << 53)]


class HelloFrame(Frame):
    op: Literal["hello"]
    token: Annotated[str, Field(max_length=256)]
    resume: Resume | None = None


class ActFrame(Frame):
    op: Literal["act"]
    action: ShortText
    args: dict[str, Any] = Field(default_factory=dict)
    command_id: Annotated[str, Field(max_length=64)] | None = None


class ReadFrame(Frame):
    """`at_least` is a version of the player's that the answer must not be older than."""

    op: Literal["read"]
    at_least: Annotated[int, Field(ge=1, le=MAX_INTEGER)] | None = None
    max_staleness: MaxStaleness = None


class ItemsFrame(Frame):
    op: Literal["items"]


class BoardFrame(Frame):
    op: Literal["board"]
    board: ShortText
    limit: BoardLimit = 50
    cursor: Cursor | None = None
    season: Season = "current"


class AroundFrame(Frame):
    op: Literal["around"]
    board: ShortText
    radius: Radius = 5
    season: Season = "current"


class SubscribeFrame(Frame):
    op: Literal["subscribe"]
    topics: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)]


class PingFrame(Frame):
    op: Literal["ping"]
