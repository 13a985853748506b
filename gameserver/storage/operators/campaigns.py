"""Letters to many players in the control database: whom, what, and how far the sending has come.

Law: players are written to page by page, in the order of slot and id. A page is stored (`begin`) before its first
letter leaves, and its players are under way until their letters have ended and are counted (`settle`). Each is a
compare-and-set on what was stored before. So whoever takes over finishes what is under way, under the same mail ids,
and every letter is counted once, or again after a restore (storage/crossings/campaigns.py). A campaign that is revoked
begins no further page; what is under way is finished. Nor does one that waits for a second operator (`hold`), which a
campaign of one operator does before a page that would be more letters than one may send.

Slots whose database doesn't answer are postponed, and read behind the last slot: a campaign that has any isn't done
(a constraint of the table keeps nodes from before control_0019, which don't know them, from finishing it). Letters that
a database doesn't take stay under way while further pages are begun for the others.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson

from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import SENDING
from gameserver.storage.postgres.patience import TRANSACTION
from gameserver.storage.postgres.sole_locks import SoleLock

SQL = statements.load(__package__, "campaigns.sql")
WAITING, RUNNING, DONE, REVOKED = "waiting", "running", "done", "revoked"
BEGIN_SECONDS = 3.0
"""Nothing is sent before: every sign-up from before the start has committed by then (transactions end after 2 s)."""
AGREE_SECONDS = 7 * 86_400.0
"""How long a campaign waits for a second operator: not longer than the ledger knows its letters, whose ids are as
old as its start. One that has begun holds up the ledger for so long (ledger/retention.sql)."""
MOST_DUE, MOST_OPEN = 20, 200


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign; `id` is its command id. `pending` are the players under way.

    All of them have been tried if it `is_tried`: only then `slot` and `after` are where the next page begins.
    `postponed` are slots that are read later, each followed by the player behind whom.
    """

    id: str
    admin: str
    reason: str
    filter: Mapping[str, Any]
    text: str
    items: Mapping[str, int]
    counted: int
    state: str
    agreed_by: str | None
    at: datetime
    changed_at: datetime
    slot: int
    after: int
    pending: Sequence[int] | None
    arrived: int
    refused: int
    is_tried: bool = True
    postponed: Sequence[int] = ()

    @property
    def agree_until(self) -> datetime | None:
        """Until when a second operator may agree, if the campaign waits for one."""
        return self.changed_at + timedelta(seconds=AGREE_SECONDS) if self.state == WAITING else None

    @property
    def waiting_slots(self) -> Sequence[int]:
        """The slots that are read when their database answers: none any more if it is revoked."""
        return self.postponed[::2] if self.state == RUNNING else ()

    @property
    def waiting_players(self) -> Sequence[int]:
        """Players whose letters were tried and wait for their database."""
        return (self.pending or ()) if self.is_tried else ()


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """Players to be written to next, perhaps none, where those behind them begin, and what is postponed then."""

    players: Sequence[int]
    slot: int
    after: int
    postponed: Sequence[int]


class CampaignProgress(NamedTuple):
    """How the campaigns are that aren't over: `age_seconds` since the running one that is slowest got anywhere."""

    waiting: int
    running: int
    letters_left: int
    age_seconds: float


class CampaignRecords:
    """Every method raises DatabaseUnavailable; those that change something OutcomeUnknown."""

    def __init__(self, control: Database) -> None:
        self._control = control
        self._lock = SoleLock(SENDING)

    async def insert(self, record: CampaignRecord) -> None:
        """Stores a new one; does nothing if there is one of this id."""
        content = (_json(record.filter), record.text, _json(record.items))
        async with self._control.transaction() as connection:
            arguments = (record.id, record.admin, record.reason, *content, record.counted, record.state)
            await connection.exec_driver_sql(SQL["insert"], arguments)

    async def find(self, campaign_id: str) -> CampaignRecord | None:
        return next(iter(await self._read("find", campaign_id)), None)

    async def newest(self, limit: int, cursor: str | None = None) -> tuple[list[CampaignRecord], str | None]:
        """What isn't over, then the newest `limit` that are; or so many behind a cursor. And the next cursor."""
        going = [] if cursor else await self._read("open", MOST_OPEN)
        over = await self._read("over", limit + 1, cursor)
        listed = {record.id for record in going}  # one may have ended between both looks
        shown = [*going, *(record for record in over[:limit] if record.id not in listed)]
        return shown, over[limit - 1].id if len(over) > limit else None

    async def due(self) -> list[CampaignRecord]:
        """Those that have letters to be sent, the oldest first."""
        return await self._read("due", BEGIN_SECONDS, MOST_DUE)

    async def progress(self) -> CampaignProgress:
        (row,) = await self._control.ask(SQL["progress"])
        return CampaignProgress(*row)

    async def hand(self, starter: str, admin: str, of_settings: Collection[str]) -> str | None:
        """Who may have the keys of both of these operators, having made or rotated them; None if nobody may."""
        rows = await self._control.ask(SQL["hand"], starter, admin, list(of_settings), AGREE_SECONDS)
        return next((row.name for row in rows), None)

    async def agree(self, campaign_id: str, admin: str) -> bool:
        """Whether the campaign was waiting, and runs now."""
        return await self._change("agree", campaign_id, admin, AGREE_SECONDS)

    async def revoke(self, campaign_id: str) -> bool:
        """Whether the campaign was waiting or running, and is revoked now."""
        return await self._change("revoke", campaign_id)

    async def begin(self, record: CampaignRecord, page: CampaignPage) -> bool:
        """Stores the page that is sent next; whether nobody else, and no revocation, was faster."""
        pages = (record.pending, list(page.players), page.slot, page.after)
        postponed = (list(record.postponed), list(page.postponed))
        return await self._change("begin", record.id, record.slot, record.after, *pages, *postponed)

    async def settle(
        self, campaign_id: str, players: Sequence[int], left: Sequence[int], arrived: int, refused: int
    ) -> bool:
        """Counts letters of the `players` under way; those `left` are under way still. Whether nobody else did."""
        return await self._change("settle", campaign_id, list(players), list(left), arrived, refused)

    async def finish(self, record: CampaignRecord) -> bool:
        """Whether the campaign, behind whose last page nobody is left, is done now."""
        return await self._change("finish", record.id, record.slot, record.after)

    async def hold(self, record: CampaignRecord, counted: int) -> bool:
        """Whether the campaign, to which nobody has agreed, was running and waits now; it has been counted again."""
        return await self._change("hold", record.id, counted, record.slot, record.after, record.pending)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[bool]:
        """Whether this node may send inside the block: one at a time may; one that froze loses it after 30 s."""
        with translated(self._control.name):
            connection = await self._control.connect({"idle_session_timeout": "30000", TRANSACTION: "10000"})
        try:
            with translated(self._control.name):
                alone = await self._lock.take(connection)
            yield alone
        finally:
            connection.terminate()

    async def _read(self, name: str, *arguments: object) -> list[CampaignRecord]:
        rows = [dict(row._mapping) for row in await self._control.ask(SQL[name], *arguments)]
        return [
            CampaignRecord(**{**row, "filter": orjson.loads(row["filter"]), "items": orjson.loads(row["items"])})
            for row in rows
        ]

    async def _change(self, name: str, *arguments: object) -> bool:
        async with self._control.transaction() as connection:
            return bool((await connection.exec_driver_sql(SQL[name], arguments)).fetchall())


def _json(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()
