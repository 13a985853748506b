"""Everything that is stored of a player, part by part: for an operator, or for the player itself.

Law: what comes is a page of each kind at a time, however much there is. The player itself gets what is about it,
without what operators say among themselves: notes, their reasons, who they are, and the audit log.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace

from gameserver.commands import player_page
from gameserver.commands.accounts import Accounts
from gameserver.commands.player_page import PlayerPage, PlayerPages, Timeline
from gameserver.rules.action_table import BY_OPERATORS
from gameserver.storage.accounts.player_keys import Device
from gameserver.storage.ledger.past import TimelineFilter
from gameserver.storage.mail.inbox import Mail
from gameserver.storage.operators.audit_log import AuditEntry, AuditQuestion
from gameserver.storage.seasons.records import PastPlace, SeasonRecords
from gameserver.storage.sessions.sessions import Session

PAGE = 200


@dataclass(frozen=True, slots=True)
class PlayerExports:
    """One per node."""

    pages: PlayerPages
    accounts: Accounts
    records: SeasonRecords


@dataclass(frozen=True, slots=True)
class ExportPart:
    """A part of an export: what is set is the next page of its kind."""

    page: PlayerPage | None = None
    devices: Sequence[Device] = ()
    places: Sequence[PastPlace] = ()
    letters: Sequence[Mail] = ()
    timeline: Timeline | None = None
    audit: Sequence[AuditEntry] = ()


async def of_player(exports: PlayerExports, player_id: int) -> AsyncGenerator[ExportPart, None]:
    """For an operator. Raises PlayerNotFound and DatabaseUnavailable, mostly before the first part."""
    yield ExportPart(page=await player_page.page(exports.pages, player_id))
    async for part in _rest(exports, player_id):
        yield part
    question, more = AuditQuestion(PAGE, target=str(player_id)), True
    while more:
        entries, more = await exports.pages.audit.log.find(question)
        yield ExportPart(audit=entries)
        if entries:
            question = replace(question, before=entries[-1].id)


async def own(exports: PlayerExports, session: Session) -> AsyncGenerator[ExportPart, None]:
    """For the player itself; one at a time. Raises RateLimited, PlayerNotFound, DatabaseUnavailable."""
    async with exports.accounts.turns.read(session.player_id, "export"):
        page = await player_page.page(exports.pages, session.player_id)
        bans = [ban._replace(reason="", banned_by="", ended_by=None) for ban in page.bans]
        yield ExportPart(page=replace(page, notes=(), bans=bans))
        async for part in _rest(exports, session.player_id):
            yield part if part.timeline is None else ExportPart(timeline=_without_reasons(part.timeline))


async def _rest(exports: PlayerExports, player_id: int) -> AsyncGenerator[ExportPart, None]:
    yield ExportPart(devices=await exports.accounts.room.identities.devices_of(player_id))
    yield ExportPart(places=await exports.records.past_places(player_id))
    before: str | None = None
    while letters := await exports.pages.play.inbox.page(player_id, PAGE, before):
        yield ExportPart(letters=letters)
        before = letters[-1].mail_id
    wanted: TimelineFilter | None = TimelineFilter(PAGE)
    while wanted is not None:
        timeline = await player_page.timeline(exports.pages, player_id, wanted)
        yield ExportPart(timeline=timeline)
        wanted = None if timeline.cursor is None else TimelineFilter(PAGE, timeline.cursor)


def _without_reasons(timeline: Timeline) -> Timeline:
    rows = [row._replace(args={}) if row.action in BY_OPERATORS else row for row in timeline.rows]
    return replace(timeline, rows=rows)
