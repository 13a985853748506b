"""Whom a campaign writes to: the players of a segment that there were when it began, page by page.

Law: a player is on one page at the most, and on one if it fits all the time, also when its slot moves meanwhile: pages
go by slot and id, which a move doesn't change, and each is read from snapshots in which every slot has one owner
(reports.py). Primaries are asked, as a replica may not have a player yet. A search looks at WINDOW slots at the most,
so that one that finds nobody is quick, too. Slots that no database that answers owns are postponed, and so are those of
a database that doesn't take letters: what it has to take is at the most a page of each campaign. A letter that fails
for a reason of its own is left alone for as long, and keeps back no other, unless so many fail that it must be the
database.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from itertools import chain, islice
from typing import NamedTuple

from sqlalchemy import func, or_, select

from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.operators.campaigns import CampaignPage, CampaignRecord
from gameserver.storage.operators.common_names import of_all
from gameserver.storage.operators.parts import Part, gathered
from gameserver.storage.operators.questions import Segment
from gameserver.storage.operators.reports import Reports
from gameserver.storage.slots.slot_map import Slots

PLAYERS = tables.player_rows.c
WINDOW = 32
"""Slots that a page looks at."""
SILENT_SECONDS = 15.0
"""How long a database that was found silent is asked nothing, and given no letters."""
FAILING = 20
"""So many letters that fail by themselves put off their database."""


class Waiting(NamedTuple):
    """How many slots and letters of a campaign wait for a database."""

    database: str
    slots: int
    letters: int


class Recipients:
    """Every method raises DatabaseUnavailable and Overloaded. `reports` may not ask replicas."""

    def __init__(self, slots: Slots, reports: Reports) -> None:
        self._slots, self._reports = slots, reports
        self._silent_until: dict[str, float] = {}
        self._failing_until: dict[int, float] = {}

    async def count(self, segment: Segment) -> int:
        """How many players the segment has now."""
        query = select(func.count()).select_from(tables.player_rows)

        async def work(parts: Sequence[Part]) -> int:
            answers = await gathered(of_all(part, query, segment) for part in parts)
            return sum(rows[0][0] for rows in answers)

        return await self._reports.over_all(work)

    async def count_for(self, segment: Segment, record: CampaignRecord) -> int:
        """How many of the segment's players now are from before the campaign's start."""
        return await self.count(_begun(segment, record))

    def is_put_off(self, player_id: int) -> bool:
        """Whether the player's database was just found silent, or its own letter failed."""
        return self._fails(player_id) or self._owner(slot_of(player_id)) in self._silent()

    def found_silent(self, player_ids: Iterable[int]) -> None:
        """Notes that these players' databases didn't take their letters."""
        self._note({self._owner(slot_of(player_id)) for player_id in player_ids})

    def found_failing(self, player_ids: Iterable[int]) -> None:
        """Notes that these players' letters fail, for reasons that aren't their databases'."""
        now = time.monotonic()
        self._failing_until = {player_id: until for player_id, until in self._failing_until.items() if until > now}
        self._failing_until.update(dict.fromkeys(player_ids, now + SILENT_SECONDS))

    def waiting(self, record: CampaignRecord) -> list[Waiting]:
        """What of a campaign waits for which database."""
        slots = Counter(self._owner(slot) for slot in record.waiting_slots)
        letters = Counter(self._owner(slot_of(player_id)) for player_id in record.waiting_players)
        return [Waiting(name, slots[name], letters[name]) for name in sorted({*slots, *letters})]

    def is_at_end(self, record: CampaignRecord) -> bool:
        """Whether every slot has been read."""
        return record.slot >= self._slots.size("players") and not record.postponed

    async def page(self, segment: Segment, record: CampaignRecord, limit: int) -> CampaignPage | None:
        """The next players, perhaps none, from before the campaign's start; None while nobody can be asked for them."""
        size, chosen = self._slots.size("players"), _begun(segment, record)
        avoided = self._avoided(record.pending or ())
        if record.slot >= size:
            return await self._postponed(chosen, record, avoided, limit)
        until = min(record.slot + WINDOW, size)
        wanted = dict.fromkeys(range(record.slot, until), 0) | {record.slot: record.after}
        ids, owned = await self._read(chosen, wanted, avoided, limit)
        if not owned:
            return None
        end = (slot_of(ids[-1]), ids[-1]) if len(ids) == limit else (until, 0)
        missing = [(slot, after) for slot, after in wanted.items() if slot < end[0] and slot not in owned]
        return CampaignPage(ids, *end, [*record.postponed, *chain(*missing)])

    async def _postponed(
        self, segment: Segment, record: CampaignRecord, avoided: Set[str], limit: int
    ) -> CampaignPage | None:
        waiting = dict(zip(record.postponed[::2], record.postponed[1::2], strict=True))
        wanted = dict(islice((item for item in waiting.items() if self._owner(item[0]) not in avoided), WINDOW))
        ids, owned = await self._read(segment, wanted, avoided, limit) if wanted else ([], frozenset[int]())
        if owned.isdisjoint(wanted):
            return None
        ended = owned & wanted.keys()
        if len(ids) == limit:
            waiting[last := slot_of(ids[-1])] = ids[-1]
            ended = {slot for slot in ended if slot < last}
        left = ((slot, after) for slot, after in waiting.items() if slot not in ended)
        # Behind the last slot there is no player: `after` counts the pages.
        return CampaignPage(ids, record.slot, record.after + 1, [*chain(*left)])

    async def _read(
        self, segment: Segment, wanted: Mapping[int, int], avoided: Set[str], limit: int
    ) -> tuple[Sequence[int], Set[int]]:
        """The first players of these slots, each behind a player, and the slots of databases that answer."""
        begun = [(slot, after) for slot, after in wanted.items() if after]
        query = select(PLAYERS.id).where(PLAYERS.slot.in_(wanted))
        query = query.where(*(or_(PLAYERS.slot != slot, PLAYERS.id > after) for slot, after in begun))
        query = query.order_by(PLAYERS.slot, PLAYERS.id).limit(limit)

        async def work(parts: Sequence[Part]) -> tuple[Sequence[int], Set[int]]:
            answers = await gathered(of_all(part, query, segment) for part in parts)
            ids = sorted((row.id for row in chain(*answers)), key=lambda player_id: (slot_of(player_id), player_id))
            return ids[:limit], {slot for part in parts for slot in part.slots}

        databases = [each for each in self._slots.databases("players") if each.name not in avoided]
        found, silent = await self._reports.over_some(databases, work)
        self._note(silent)
        return found

    def _avoided(self, pending: Sequence[int]) -> Set[str]:
        """Databases that are given no further letters while these players are under way."""
        waiting = Counter(self._owner(slot_of(player_id)) for player_id in pending)
        failing = Counter(self._owner(slot_of(player_id)) for player_id in pending if self._fails(player_id))
        return self._silent() | {name for name in waiting if waiting[name] > failing[name] or failing[name] >= FAILING}

    def _fails(self, player_id: int) -> bool:
        return self._failing_until.get(player_id, 0) > time.monotonic()

    def _owner(self, slot: int) -> str:
        return self._slots.owner("players", slot).name

    def _note(self, silent: Iterable[str]) -> None:
        self._silent_until.update(dict.fromkeys(silent, time.monotonic() + SILENT_SECONDS))

    def _silent(self) -> set[str]:
        now = time.monotonic()
        return {name for name, until in self._silent_until.items() if until > now}


def _begun(segment: Segment, record: CampaignRecord) -> Segment:
    """Without players that were created since the campaign's start."""
    return replace(segment, created_until=min(segment.created_until or record.at, record.at))
