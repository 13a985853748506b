"""Letters with items to many players: counted, confirmed, agreed to by a second operator, sent, and revoked.

Law: a campaign is a filter, not a list: it writes to who fits when its page's turn comes, among the players that there
were when it began. Everyone gets it once, under a mail id that follows from the campaign's id and the player's. Its id
is its command id, so a request that is sent again starts nothing twice.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from gameserver.commands import player_changes
from gameserver.commands.corrections import ChangedBy
from gameserver.commands.player_changes import Gift, PlayerChanges
from gameserver.commands.rankings import require_someone
from gameserver.rules.campaign_errors import CampaignNotFound, CampaignOver, SameOperator, SegmentChanged
from gameserver.rules.errors import CommandMismatch
from gameserver.storage.ids import is_command_id
from gameserver.storage.operators.audit import AuditedChange
from gameserver.storage.operators.campaigns import (
    AGREE_SECONDS,
    REVOKED,
    RUNNING,
    WAITING,
    CampaignRecord,
    CampaignRecords,
)
from gameserver.storage.operators.questions import Segment
from gameserver.storage.operators.recipients import Recipients, Waiting
from gameserver.times import rfc3339

MOMENTS = ("created_since", "created_until", "seen_since", "seen_until")
AGREE_DAYS = int(AGREE_SECONDS) // 86_400
FIELDS = ("class", "min_level", "max_level", *MOMENTS, "banned")
"""What a campaign's filter may have; no name, so that an erasure needn't look there."""


@dataclass(frozen=True, slots=True)
class Campaigns:
    """One per node; more than `above` players need a second operator.

    `of_settings` are the names of the settings' keys.
    """

    changes: PlayerChanges
    records: CampaignRecords
    recipients: Recipients
    above: int
    now: Callable[[], datetime]
    of_settings: Collection[str]


@dataclass(frozen=True, slots=True)
class CampaignOrder:
    """What is sent, and to whom; at the start the segment may have `tolerance` players more or less than `expected`."""

    segment: Segment
    gift: Gift
    expected: int
    tolerance: int


@dataclass(frozen=True, slots=True)
class CampaignPreview:
    """How many players would be written to, and whether a second operator would have to agree."""

    players: int
    needs_second: bool


class CampaignWaiting(NamedTuple):
    """What a campaign waits for: databases that didn't answer, and whether for a second operator.

    One that waits without needing a second one waits for any operator.
    """

    databases: list[Waiting]
    second_operator: bool


async def preview(campaigns: Campaigns, segment: Segment, gift: Gift) -> CampaignPreview:
    """Raises UnknownClass, UnknownItem, BadInput, DatabaseUnavailable, Overloaded."""
    _require_known(campaigns, segment, gift)
    players = await campaigns.recipients.count(segment)
    return CampaignPreview(players, players > campaigns.above)


async def start(campaigns: Campaigns, order: CampaignOrder, by: ChangedBy) -> CampaignRecord:
    """Starts a campaign, or lets it wait for a second operator.

    Raises SegmentChanged with the `count`, CommandMismatch, CommandExpired, UnknownClass, UnknownItem, BadInput,
    DatabaseUnavailable, Overloaded, OutcomeUnknown.
    """
    if (earlier := await campaigns.records.find(by.command_id)) is not None:
        return _require_same(earlier, order)
    campaigns.changes.accounts.policy.window.check(by.command_id, campaigns.now())
    found = await preview(campaigns, order.segment, order.gift)
    _require_expected(found.players, order.expected, order.tolerance)
    record = _record(campaigns, order, by, found)
    details = {"filter": record.filter, "items": record.items, "players": found.players}
    entry = AuditedChange(by.admin, "campaign", by.command_id, by.reason, details, by.command_id, {"state": None})
    async with campaigns.changes.pages.audit.recorded(entry) as end:
        await campaigns.records.insert(record)
        stored = await find(campaigns, by.command_id)
        end.after = {"state": stored.state}
    return _require_same(stored, order)


async def agree(campaigns: Campaigns, campaign_id: str, expected: int, by: ChangedBy) -> CampaignRecord:
    """A second operator starts what waits for it; `expected` is the count that the campaign was started with.

    Two keys of which one hand has made or rotated both, or one the other, may be one person's for as long as a campaign
    waits, and while such a key holds: so neither agrees to what the other one started. Where one operator is enough, as
    for a campaign that waits since the control database went back, whoever started it may confirm it, too.
    Raises CampaignNotFound, SameOperator, SegmentChanged, CampaignOver, DatabaseUnavailable, OutcomeUnknown.
    """
    record = await find(campaigns, campaign_id)
    if record.agreed_by == by.admin:
        return record
    if record.counted > campaigns.above:
        await _require_two(campaigns, record.admin, by.admin)
    _require_expected(record.counted, expected, 0)
    async with _audited(campaigns, "campaign_agreed", record, by) as end:
        if not end.replayed and not await campaigns.records.agree(campaign_id, by.admin):
            record = await find(campaigns, campaign_id)
            if record.agreed_by != by.admin:
                raise CampaignOver(f"The campaign doesn't wait: it is {_shown_state(record)}.")
        end.after = end.after or _shown(record) | {"state": RUNNING}
    return await find(campaigns, campaign_id)


async def _require_two(campaigns: Campaigns, starter: str, admin: str) -> None:
    if starter == admin:
        raise SameOperator
    if (hand := await campaigns.records.hand(starter, admin, campaigns.of_settings)) is not None:
        raise SameOperator(_in_one_hand(starter, admin, hand))


async def revoke(campaigns: Campaigns, campaign_id: str, by: ChangedBy) -> CampaignRecord:
    """Ends a campaign before its end: what is under way, up to a hundred letters to a database, still arrives.

    Raises CampaignNotFound, CampaignOver, DatabaseUnavailable, OutcomeUnknown.
    """
    record = await find(campaigns, campaign_id)
    async with _audited(campaigns, "campaign_revoked", record, by) as end:
        is_new = not end.replayed and await campaigns.records.revoke(campaign_id)
        record = await find(campaigns, campaign_id)
        if record.state != REVOKED:
            raise CampaignOver(f"The campaign can't be revoked: it is {_shown_state(record)}.")
        if is_new:
            end.after = _shown(record) | {"pending": len(record.pending or ())}
    return record


async def find(campaigns: Campaigns, campaign_id: str) -> CampaignRecord:
    """Raises CampaignNotFound, also for what can't be an id, and DatabaseUnavailable."""
    if not is_command_id(campaign_id) or (record := await campaigns.records.find(campaign_id)) is None:
        raise CampaignNotFound
    return record


async def newest(
    campaigns: Campaigns, limit: int, cursor: str | None = None
) -> tuple[list[CampaignRecord], str | None]:
    """Those that aren't over, then the newest of the others, or the next behind a cursor; and the cursor after them.

    Raises DatabaseUnavailable.
    """
    return await campaigns.records.newest(limit, cursor)


def waiting(campaigns: Campaigns, record: CampaignRecord) -> CampaignWaiting:
    needs_second = record.state == WAITING and record.counted > campaigns.above
    return CampaignWaiting(campaigns.recipients.waiting(record), needs_second)


def segment_of(stored: Mapping[str, Any]) -> Segment:
    """The segment of a stored filter."""
    moments = {name: datetime.fromisoformat(stored[name]) for name in MOMENTS if name in stored}
    return Segment(
        class_name=stored.get("class"),
        min_level=stored.get("min_level"),
        max_level=stored.get("max_level"),
        created_since=moments.get("created_since"),
        created_until=moments.get("created_until"),
        banned=stored.get("banned"),
        seen_since=moments.get("seen_since"),
        seen_until=moments.get("seen_until"),
    )


def is_known(stored: Mapping[str, Any]) -> bool:
    """Whether this version knows everything in a stored filter: what it didn't heed would reach too many."""
    return set(stored) <= set(FIELDS)


def _filter_of(segment: Segment) -> dict[str, Any]:
    given = (segment.created_since, segment.created_until, segment.seen_since, segment.seen_until)
    moments = (None if moment is None else moment.isoformat() for moment in given)
    values = (segment.class_name, segment.min_level, segment.max_level, *moments, segment.banned)
    return {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}


def _record(campaigns: Campaigns, order: CampaignOrder, by: ChangedBy, found: CampaignPreview) -> CampaignRecord:
    now = campaigns.now()
    return CampaignRecord(
        id=by.command_id,
        admin=by.admin,
        reason=by.reason,
        filter=_filter_of(order.segment),
        text=order.gift.text,
        items=dict(sorted(order.gift.items)),
        counted=found.players,
        state=WAITING if found.needs_second else RUNNING,
        agreed_by=None,
        at=now,
        changed_at=now,
        slot=0,
        after=0,
        pending=None,
        arrived=0,
        refused=0,
    )


def _require_known(campaigns: Campaigns, segment: Segment, gift: Gift) -> None:
    require_someone(segment)
    if segment.class_name is not None:
        campaigns.changes.pages.play.rulebook.game.player_class(segment.class_name)
    player_changes.require_items(campaigns.changes, gift)


def _require_expected(count: int, expected: int, tolerance: int) -> None:
    if abs(count - expected) > tolerance:
        detail = f"There are {count} players in the segment, not {expected}."
        raise SegmentChanged(detail, extra={"count": count})


def _require_same(record: CampaignRecord, order: CampaignOrder) -> CampaignRecord:
    content = (_filter_of(order.segment), order.gift.text, dict(order.gift.items))
    if (dict(record.filter), record.text, dict(record.items)) != content:
        raise CommandMismatch("The command id was used before, for another campaign.")
    return record


def _in_one_hand(starter: str, admin: str, hand: str) -> str:
    whose = " and ".join(name for name in (starter, admin) if name != hand)
    return (
        f"{hand} has made or rotated a key of {whose}, which still holds or was made in the last {AGREE_DAYS} days: "
        f"{starter} and {admin} may be one person."
    )


def _audited(campaigns: Campaigns, action: str, record: CampaignRecord, by: ChangedBy) -> Any:
    entry = AuditedChange(by.admin, action, record.id, by.reason, {}, by.command_id, _shown(record))
    return campaigns.changes.pages.audit.once(entry)


def _shown(record: CampaignRecord) -> dict[str, object]:
    """For the audit log."""
    return {"state": record.state, "players": record.counted, "arrived": record.arrived}


def _shown_state(record: CampaignRecord) -> str:
    """For people."""
    return f"waiting, but only until {rfc3339(until)}" if (until := record.agree_until) else record.state
