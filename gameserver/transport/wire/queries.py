"""The queries of HTTP requests."""

from typing import Annotated, Literal
from unicodedata import normalize

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from gameserver.exports import Format
from gameserver.rules import names
from gameserver.rules.arguments import MAX_INTEGER, PlayerId
from gameserver.transport.wire.fields import (
    BoardLimit,
    Cursor,
    Ids,
    Level,
    MaxStaleness,
    Moment,
    NamePart,
    QueryModel,
    Radius,
    Reason,
    Season,
    ShortText,
    Truth,
    split_at_commas,
)


class NoQuery(QueryModel):
    pass


class PlayerQuery(QueryModel):
    max_staleness: MaxStaleness = None


class PlayersQuery(PlayerQuery):
    ids: Annotated[Ids, Field(min_length=1)]


class LedgerQuery(QueryModel):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None


class InboxQuery(LedgerQuery):
    pass


class FeedQuery(QueryModel):
    limit: Annotated[int, Field(ge=1, le=50)] = 20


class SeasonQuery(QueryModel):
    season: Season = "current"


class BoardQuery(SeasonQuery):
    limit: BoardLimit = 50
    cursor: Cursor | None = None


class AroundQuery(SeasonQuery):
    radius: Radius = 5


class RanksQuery(SeasonQuery):
    ids: Annotated[Ids, Field(min_length=1)]


class SegmentFilter(QueryModel):
    """Which players, without what only one or a few could fit, and their order: whoever fits every field.

    `seen_since` and `seen_until` are compared with the beginning of the hour in which a player was last seen.
    """

    by: Literal["exp", "level", "hp", "created_at", "seen_at"] = "exp"
    order: Literal["asc", "desc"] = "desc"
    class_name: Annotated[ShortText | None, Field(alias="class")] = None
    min_level: Level = None
    max_level: Level = None
    created_since: Moment | None = None
    created_until: Moment | None = None
    seen_since: Moment | None = None
    seen_until: Moment | None = None
    banned: Truth | None = None
    online: Truth | None = None


class PlayersFilter(SegmentFilter):
    """Which players: whoever fits every field. `device` is what its client sends as its device, or the hash of that."""

    id: PlayerId | None = None
    name: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    name_begins: NamePart | None = None
    name_part: NamePart | None = None
    device: Annotated[str | None, Field(min_length=1, max_length=256)] = None


QueryTitle = Annotated[str, StringConstraints(pattern=r"^\w([\w .,()-]{0,62}[\w)])?$")]
SINGLES = tuple(sorted(PlayersFilter.model_fields.keys() - SegmentFilter.model_fields.keys()))
"""Parameters by which single players are found."""


class RankingsQuery(PlayersFilter):
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Cursor | None = None


class DownloadQuery(QueryModel):
    """`check` asks only whether the file could be had from this node.

    `console_operator` is for whom a page of the console asks: a link can't have the header that says so.
    """

    check: Truth | None = None
    console_operator: ShortText | None = None


class RankingExportQuery(PlayersFilter, DownloadQuery):
    format: Format = "csv"


class SpreadQuery(PlayersFilter):
    percentiles: Annotated[list[str], Field(max_length=20), BeforeValidator(split_at_commas)] = Field(
        default_factory=lambda: ["1", "10", "25", "50", "75", "90", "99"]
    )
    bars: Annotated[int, Field(ge=1, le=200)] = 20


class AuditFilter(QueryModel):
    """`text` is a part of the reason, whatever its case; `until` isn't included."""

    admin: ShortText | None = None
    action: ShortText | None = None
    target: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    command_id: Annotated[str | None, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")] = None
    text: Annotated[str | None, Field(min_length=1, max_length=100, pattern=r"^[^\x00]*$")] = None
    since: Moment | None = None
    until: Moment | None = None


class AuditQuery(AuditFilter):
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str | None, Field(pattern=r"^[1-9][0-9]{0,17}$")] = None


class AuditExportQuery(AuditFilter, DownloadQuery):
    format: Format = "csv"


def _composed(name: object) -> object:
    return normalize("NFC", name) if isinstance(name, str) else name


def _all_seen(name: str) -> str:
    if names.seen(name) != name:
        raise PydanticCustomError("unseen", "has a character that can't be seen")
    return name


class KnownQueryName(QueryModel):
    """What operators have called a saved query, earlier versions included, composed; it stands in a path."""

    name: Annotated[QueryTitle, BeforeValidator(_composed)]


class QueryName(KnownQueryName):
    """What operators call a saved query from now on: no two look the same because of how they were typed."""

    name: Annotated[QueryTitle, BeforeValidator(_composed), AfterValidator(_all_seen)]


class ReasonQuery(QueryModel):
    reason: Reason


class CheckQuery(SeasonQuery):
    """`sample` is about how many players are compared."""

    sample: Annotated[int, Field(ge=1, le=10_000)] = 1000


class NodesQuery(QueryModel):
    ids: Ids = Field(default_factory=list)


class PreviewQuery(QueryModel):
    """With `preview=true` nothing changes: the answer says what would."""

    preview: Literal["true", "false"] = "false"


class ReasonedChangeQuery(ReasonQuery, PreviewQuery):
    """Why, and whether nothing is to change."""


class SeasonsQuery(QueryModel):
    """How many of the newest seasons; all, if it isn't given."""

    limit: Annotated[int | None, Field(ge=1, le=100_000)] = None


class SeasonPreviewQuery(QueryModel):
    """How many of the best are shown."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class TimelineQuery(QueryModel):
    """`actions` are names in the ledger, separated by commas; `since` and `until` moments."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor | None = None
    actions: Annotated[list[ShortText], Field(max_length=20), BeforeValidator(split_at_commas)] = Field(
        default_factory=list
    )
    since: Annotated[str | None, Field(max_length=40)] = None
    until: Annotated[str | None, Field(max_length=40)] = None


class MomentQuery(QueryModel):
    """A moment (RFC 3339 with an offset), or a version: one of the two."""

    at: Annotated[str | None, Field(max_length=40)] = None
    version: Annotated[int | None, Field(ge=1, le=MAX_INTEGER)] = None
