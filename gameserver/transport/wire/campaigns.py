"""The bodies and queries of letters to many players."""

from typing import Annotated

from pydantic import ConfigDict, Field

from gameserver.rules.arguments import MAX_INTEGER
from gameserver.transport.wire.fields import JsonModel, Level, Moment, QueryModel, ShortText
from gameserver.transport.wire.requests import Because, MailToPlayer

Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]


class CampaignFilter(JsonModel):
    """Which players: whoever fits every field. Those that are banned only if `banned` says so."""

    class_name: Annotated[ShortText | None, Field(alias="class")] = None
    min_level: Level = None
    max_level: Level = None
    created_since: Moment | None = None
    created_until: Moment | None = None
    seen_since: Moment | None = None
    seen_until: Moment | None = None
    banned: bool = Field(default_factory=bool)


class NewCampaign(MailToPlayer):
    """`expected_count` is how many players the segment has, give or take `count_may_differ_by`: or nothing is sent.

    A preview, which counts them, needs none.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reason": "the outage of 3 March",
                    "text": "We are sorry.",
                    "items": {"potion": 3},
                    "filter": {"class": "mage", "min_level": 10},
                    "expected_count": 4711,
                }
            ]
        }
    )

    filter: CampaignFilter
    expected_count: Count | None = None
    count_may_differ_by: Count = Field(default_factory=int)


class AgreedCampaign(Because):
    """`expected_count` is the count that the campaign was started with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "checked by two", "expected_count": 4711}]})

    expected_count: Count


class CampaignsQuery(QueryModel):
    """How many of those that are over; those that aren't come with the first page. The cursor is the `next_cursor`."""

    cursor: Annotated[str | None, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
