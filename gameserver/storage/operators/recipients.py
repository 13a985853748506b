"""Whom a campaign writes to: the players of a segment that there were when it began, page by page.

Law: a player is on one page at the most, and on one if it fits all the time, also when its slot moves meanwhile: pages
go by slot and id, which a move doesn't change, and each is read from snapshots in which every slot has one owner
(reports.py). Primaries are asked, as a replica may not have a player yet. A search looks at WINDOW slots at the most,
so that one that finds nobody is quick, too. Slots that no database that answers owns are postponed.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from sqlalchemy import func, or_, select

from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.operators.campaigns import CampaignPage, CampaignRecord
from gameserver.storage.operators.questions import Segment
from gameserver.storage.operators.reports import Part, Reports, gathered
from gameserver.storage.slots.slot_map import Slots

PLAYERS = tables.player_rows.c
WINDOW = 32
"""Slots that a page looks at."""
SILENT_SECONDS = 5.0
"""How long a database that was found silent isn't asked."""


class Recipients:
    """Every method raises DatabaseUnavailable and Overloaded. `reports` may not ask replicas."""

    def __init__(self, slots: Slots, reports: Reports) -> None:
        self._slots, self._reports = slots, reports
        self._silent_until: dict[str, float] = {}

    async def count(self, segment: Segment) -> int:
        """How many players the segment has now."""
        query = select(func.count()).where(*segment.conditions())

        async def work(parts: Sequence[Part]) -> int:
            answers = await gathered(part.ask(query.where(part.counted())) for part in parts)
            return sum(rows[0][0] for rows in answers)

        return await self._reports.over_all(work)

    def is_silent(self, player_id: int) -> bool:
        """Whether the player's database was just found silent."""
        return self._slots.owner("players", slot_of(player_id)).name in self._silent()

    async def page(self, segment: Segment, record: CampaignRecord, limit: int) -> CampaignPage | None:
        """The next page of players from before the campaign's start; None when nobody is left, or none can be asked."""
        size, chosen = self._slots.size("players"), replace(segment, created_until=_earlier(segment, record.at))
        if record.slot >= size:
            return await self._postponed(chosen, record, limit)
        until = min(record.slot + WINDOW, size)
        wanted = dict.fromkeys(range(record.slot, until), 0) | {record.slot: record.after}
        ids, owned = await self._read(chosen, wanted, limit)
        end = (slot_of(ids[-1]), ids[-1]) if len(ids) == limit else (until, 0)
        missing = [(slot, after) for slot, after in wanted.items() if slot < end[0] and slot not in owned]
        return CampaignPage(ids, *end, [*record.postponed, *chain(*missing)])

    async def _postponed(self, segment: Segment, record: CampaignRecord, limit: int) -> CampaignPage | None:
        """A page of postponed slots whose owners answer now."""
        waiting = dict(zip(record.postponed[::2], record.postponed[1::2], strict=True))
        if not waiting:
            return None
        ids, owned = await self._read(segment, waiting, limit)
        if owned.isdisjoint(waiting):
            return None
        if len(ids) == limit:
            last = slot_of(ids[-1])
            left = {slot: after for slot, after in waiting.items() if slot not in owned or slot > last}
            left[last] = ids[-1]
        else:
            left = {slot: after for slot, after in waiting.items() if slot not in owned}
        return CampaignPage(ids, record.slot, record.after, [*chain(*left.items())])

    async def _read(self, segment: Segment, wanted: Mapping[int, int], limit: int) -> tuple[list[int], set[int]]:
        """The first players of these slots, each behind a player, and the slots of databases that answer."""
        first = [(slot, after) for slot, after in wanted.items() if after]
        query = select(PLAYERS.id).where(PLAYERS.slot.in_(wanted), *segment.conditions())
        query = query.where(*(or_(PLAYERS.slot != slot, PLAYERS.id > after) for slot, after in first))
        query = query.order_by(PLAYERS.slot, PLAYERS.id).limit(limit)

        async def work(parts: Sequence[Part]) -> tuple[list[int], set[int]]:
            answers = await gathered(part.ask(query.where(part.counted())) for part in parts)
            ids = sorted((row.id for row in chain(*answers)), key=lambda player_id: (slot_of(player_id), player_id))
            return ids[:limit], {slot for part in parts for slot in part.slots}

        found, silent = await self._reports.over_some(
            [database for database in self._slots.databases("players") if database.name not in self._silent()], work
        )
        until = time.monotonic() + SILENT_SECONDS
        self._silent_until.update((database.name, until) for database in silent)
        return found

    def _silent(self) -> set[str]:
        now = time.monotonic()
        return {name for name, until in self._silent_until.items() if until > now}


def _earlier(segment: Segment, started: datetime) -> datetime:
    return started if segment.created_until is None else min(segment.created_until, started)
