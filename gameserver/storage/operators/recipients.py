"""Whom a campaign writes to: the players of a segment that there were when it began, page by page.

Law: a player is on one page at the most, and on one if it fits all the time, also when its slot moves meanwhile: pages
go by slot and id, which a move doesn't change, and each is read from snapshots in which every slot has one owner
(reports.py). Primaries are asked, as a replica may not have a player yet. A search looks at WINDOW slots at the most,
so that one that finds nobody is quick, too.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from sqlalchemy import func, select, tuple_

from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.operators.campaigns import CampaignPage
from gameserver.storage.operators.questions import Segment
from gameserver.storage.operators.reports import Part, Reports, gathered
from gameserver.storage.slots.slot_map import Slots

PLAYERS = tables.player_rows.c
WINDOW = 32
"""Slots that a page looks at."""


class Recipients:
    """Every method raises DatabaseUnavailable and Overloaded. `reports` may not ask replicas."""

    def __init__(self, slots: Slots, reports: Reports) -> None:
        self._slots, self._reports = slots, reports

    async def count(self, segment: Segment) -> int:
        """How many players the segment has now."""
        query = select(func.count()).where(*segment.conditions())

        async def work(parts: Sequence[Part]) -> int:
            answers = await gathered(part.ask(query.where(part.counted())) for part in parts)
            return sum(rows[0][0] for rows in answers)

        return await self._reports.over_all(work)

    async def page(self, segment: Segment, started: datetime, slot: int, after: int, limit: int) -> CampaignPage | None:
        """The next page behind that slot and player, of players from before `started`; None when nobody is left."""
        size, chosen = self._slots.size("players"), replace(segment, created_until=_earlier(segment, started))
        while slot < size:
            until = min(slot + WINDOW, size)
            ids = await self._window(chosen, (slot, after), until, limit)
            if len(ids) == limit:
                return CampaignPage(ids, slot_of(ids[-1]), ids[-1])
            if ids:
                return CampaignPage(ids, until, 0)
            slot, after = until, 0
        return None

    async def _window(self, segment: Segment, behind: tuple[int, int], until: int, limit: int) -> list[int]:
        key = tuple_(PLAYERS.slot, PLAYERS.id)
        query = select(PLAYERS.id).where(key > behind, PLAYERS.slot < until, *segment.conditions())
        query = query.order_by(PLAYERS.slot, PLAYERS.id).limit(limit)

        async def work(parts: Sequence[Part]) -> list[int]:
            answers = await gathered(part.ask(query.where(part.counted())) for part in parts)
            return sorted((row.id for row in chain(*answers)), key=lambda player_id: (slot_of(player_id), player_id))

        return (await self._reports.over_all(work))[:limit]


def _earlier(segment: Segment, started: datetime) -> datetime:
    return started if segment.created_until is None else min(segment.created_until, started)
