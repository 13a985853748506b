"""Letters to many players, and how far their sending has come."""

from collections.abc import Iterable
from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.results import CampaignPreview, CampaignRecord, CampaignWaiting
from gameserver.times import rfc3339


class CampaignWaitingAnswer(TypedDict):
    """What waits until a database answers: slots whose players haven't been looked for, and letters under way."""

    database: str
    slots: int
    letters: int


class CampaignAnswer(TypedDict):
    """`state`: waiting (for an operator, `agree_until` then), running, done or revoked.

    `needs_second_operator` says whether whoever started what waits so may not agree to it.

    `players` is the count at the start, or when the campaign came to wait because more players had come to fit.

    `arrived` and `refused` are letters that have ended so, `under_way` are those of the page that is being sent.
    `waiting` says what waits for which database, if one didn't answer.
    """

    id: str
    state: str
    admin: str
    agreed_by: str | None
    agree_until: str | None
    needs_second_operator: bool
    reason: str
    filter: dict[str, Any]
    text: str
    items: dict[str, int]
    players: int
    arrived: int
    refused: int
    under_way: int
    waiting: list[CampaignWaitingAnswer]
    at: str
    changed_at: str


class CampaignStartAnswer(TypedDict):
    """How many players were counted, and whether a second operator has to agree; a preview has no `campaign`."""

    preview: bool
    players: int
    needs_second_operator: bool
    campaign: CampaignAnswer | None


class CampaignsAnswer(TypedDict):
    campaigns: list[CampaignAnswer]
    next_cursor: str | None


def campaign_preview(found: CampaignPreview) -> CampaignStartAnswer:
    return {
        "preview": True,
        "players": found.players,
        "needs_second_operator": found.needs_second,
        "campaign": None,
    }


def campaign_start(record: CampaignRecord, waiting: CampaignWaiting) -> CampaignStartAnswer:
    return {
        "preview": False,
        "players": record.counted,
        "needs_second_operator": waiting.second_operator,
        "campaign": campaign(record, waiting),
    }


def campaign(record: CampaignRecord, waiting: CampaignWaiting) -> CampaignAnswer:
    return {
        "id": record.id,
        "state": record.state,
        "admin": record.admin,
        "agreed_by": record.agreed_by,
        "agree_until": None if record.agree_until is None else rfc3339(record.agree_until),
        "needs_second_operator": waiting.second_operator,
        "reason": record.reason,
        "filter": dict(record.filter),
        "text": record.text,
        "items": dict(record.items),
        "players": record.counted,
        "arrived": record.arrived,
        "refused": record.refused,
        "under_way": len(record.pending or ()),
        "waiting": [
            {"database": name, "slots": slots, "letters": letters} for name, slots, letters in waiting.databases
        ],
        "at": rfc3339(record.at),
        "changed_at": rfc3339(record.changed_at),
    }


def campaigns(found: Iterable[tuple[CampaignRecord, CampaignWaiting]], next_cursor: str | None) -> CampaignsAnswer:
    return {"campaigns": [campaign(*each) for each in found], "next_cursor": next_cursor}
