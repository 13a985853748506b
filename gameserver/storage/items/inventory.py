"""What players own, in the databases of the group `items`: reserve, give back, confirm, grant, read.

Law: each step is one transaction there, under the fence of items, and is refused by a database that doesn't own the
slot. Each is idempotent: a reservation by its token, a grant by its command.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, NamedTuple

import orjson
import structlog
from sqlalchemy import delete, func, select, tuple_

from gameserver.rules.editions import RulesInForce
from gameserver.rules.errors import DatabaseUnavailable, Overloaded, Unavailable
from gameserver.rules.items import Items
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.items.stacks import KIND, SQL
from gameserver.storage.postgres.coalescing import DatabaseCoalescer
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.reading import fetch
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.slots.slot_map import MOVED_SECONDS, Slots

log = structlog.get_logger()

RETENTION = timedelta(days=30)
"""How long rows of the items' ledger are stored: far longer than a command id is accepted, and than a node may stay
frozen with a grant that it was about to deliver. A grant that waits for longer keeps them for as long."""
CLOCKS = timedelta(days=1)
"""How far the clocks of two databases may be apart, amply."""


class Reservation(NamedTuple):
    """Items of a player put aside for one attempt at a command; `token` identifies the attempt."""

    player_id: int
    command_id: str
    token: str


class Grant(NamedTuple):
    """What a command granted; `items` is JSON text, counts by item."""

    player_id: int
    command_id: str
    items: str


class _Wanted(NamedTuple):
    """A reservation with its items, in the order of the statement's arguments."""

    player_id: int
    command_id: str
    token: str
    items: str


@dataclass(frozen=True, slots=True)
class Stack:
    """`lost` counts what was granted while the stack was full."""

    item: str
    count: int
    lost: int


class Open(NamedTuple):
    """A reservation that isn't settled yet; `age` in seconds."""

    reservation: Reservation
    items: Mapping[str, int]
    age: float


class Owned(NamedTuple):
    """What a player has, and what of it is put aside."""

    stacks: Sequence[Stack]
    reserved: Sequence[Open]


class Inventory:
    """One per node. Reservations and their confirmations share statements, for each database by itself.

    `run` owns the statements under way until it is cancelled.
    """

    def __init__(self, slots: Slots, rules: RulesInForce) -> None:
        self._slots = slots
        self._rules = rules
        self._reserving = DatabaseCoalescer(_reserve, Purpose.PLAY)
        self._confirming = DatabaseCoalescer(_confirm, Purpose.PLAY)
        self._reading = {purpose: DatabaseCoalescer(_read, purpose) for purpose in (Purpose.PLAY, Purpose.READS)}
        self._unconfirmed: dict[int, set[asyncio.Future[None]]] = {}
        """By player: confirmations under way."""

    async def read(self, player_id: int, purpose: Purpose) -> Owned:
        """The player's stacks, and the open reservations of them; `purpose` is PLAY or READS.

        Raises DatabaseUnavailable, Overloaded.
        """
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            holdings = await self._reading[purpose].ask(self.owner(player_id), player_id)
            if holdings is not None:
                return holdings
            await self._slots.moved(deadline)

    async def reserve(self, reservation: Reservation, items: Items) -> str:
        """Puts items aside: `done`, `short` (nothing changed) or `rival` (another attempt has or had a reservation).

        Raises DatabaseUnavailable, in which case the items may have been reserved.
        """
        text = orjson.dumps(dict(items)).decode()
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            outcome = await self._reserving.ask(self.owner(reservation.player_id), _Wanted(*reservation, text))
            if outcome != "moved":
                return outcome
            await self._slots.moved(deadline)

    async def give_back(self, reservation: Reservation) -> None:
        """Undoes a reservation whose command won't commit with it any more. Raises DatabaseUnavailable."""
        await self._ask("give_back", *reservation)

    def confirm_soon(self, reservation: Reservation) -> None:
        """Confirms a reservation whose command has committed with it; one that can't be is left to the sweeper."""
        player_id = reservation.player_id
        with contextlib.suppress(Overloaded):
            confirmed = self._confirming.ask(self.owner(player_id), reservation)
            self._unconfirmed.setdefault(player_id, set()).add(confirmed)
            confirmed.add_done_callback(functools.partial(self._note_confirmed, player_id))

    async def run(self) -> None:
        """Waits until it is cancelled; then what isn't confirmed is left to the sweeper."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            reading = [asking.close() for asking in self._reading.values()]
            await asyncio.gather(self._confirming.close(), self._reserving.close(), *reading)

    def _note_confirmed(self, player_id: int, confirmed: asyncio.Future[None]) -> None:
        if not confirmed.cancelled() and (error := confirmed.exception()) is not None:
            log.warning("a confirmation waits for the sweeper", player=player_id, error=str(error))
        under_way = self._unconfirmed[player_id]
        under_way.discard(confirmed)
        if not under_way:
            del self._unconfirmed[player_id]

    async def confirmed(self, player_id: int) -> None:
        """Waits until no confirmation of the player's reservations is under way."""
        if under_way := self._unconfirmed.get(player_id):
            await asyncio.wait(set(under_way))

    async def grant(self, grants: Sequence[Grant]) -> list[Grant]:
        """Applies grants, each once; returns those whose slots have moved, to be tried again.

        Raises DatabaseUnavailable, in which case any of them may have been applied.
        """
        left: list[Grant] = []
        names, caps = list(self._rules.game.items), [item.max_stack for item in self._rules.game.items.values()]
        for database, part in self._by_owner(grants):
            slots = _slots(part)
            with using(Purpose.PLAY):
                moved = await database.ask(SQL["grant"], slots, *_columns(part), names, caps)
            elsewhere = {row.slot for row in moved}
            left += [grant for slot, grant in zip(slots, part, strict=True) if slot in elsewhere]
        if left:
            with contextlib.suppress(DatabaseUnavailable):
                await self._slots.refresh()
        return left

    async def grant_all(self, grants: Sequence[Grant]) -> None:
        """Applies grants, each once, on whichever databases own the slots. Raises DatabaseUnavailable."""
        deadline = time.monotonic() + MOVED_SECONDS
        while grants := await self.grant(grants):
            await self._slots.moved(deadline)

    def _by_owner(self, rows: Sequence[Grant]) -> list[tuple[Database, list[Grant]]]:
        parts: dict[str, tuple[Database, list[Grant]]] = {}
        for row in rows:
            database = self.owner(row.player_id)
            parts.setdefault(database.name, (database, []))[1].append(row)
        return list(parts.values())

    async def overdue(self, seconds: float, limit: int) -> list[Reservation]:
        """Open reservations that are older, at most `limit` from each database that answers."""

        async def ask(database: Database) -> list[Reservation]:
            try:
                return [Reservation(*row) for row in await database.ask(SQL["overdue"], seconds, limit)]
            except Unavailable as error:
                log.warning("reservations wait", database=database.name, error=error.detail)
                return []

        return list(chain(*await asyncio.gather(*map(ask, self.databases()))))

    def owner(self, player_id: int) -> Database:
        """The database that owns the player's items."""
        return self._slots.owner("items", slot_of(player_id))

    def databases(self) -> list[Database]:
        """The databases that own items."""
        return self._slots.databases("items")

    async def oldest_grant(self) -> datetime | None:
        """When the oldest grant that may be delivered once more was posted. Raises DatabaseUnavailable, Overloaded."""
        databases = self._slots.members("players")
        rows = chain(*await asyncio.gather(*(database.ask(SQL["oldest_grant"], KIND) for database in databases)))
        return min((row.at for row in rows if row.at is not None), default=None)

    async def forget_old(self, database: Database, most: int, needed: datetime | None = None) -> int:
        """Deletes settled rows older than RETENTION, at most `most`; returns how many. Raises DatabaseUnavailable.

        `needed` is when the oldest grant was posted that may be delivered once more, and is known by its row then.
        """
        old = func.now() - RETENTION
        before = old if needed is None else func.least(old, needed - CLOCKS)
        ledger, owned = tables.item_ledger.c, tables.items_owned_slots.c
        key = tuple_(ledger.slot, ledger.player_id, ledger.command_id, ledger.kind)
        here = ledger.slot.in_(select(owned.slot).where(owned.owned))
        rows = select(*key.clauses).where(ledger.at < before, ledger.settled, here).limit(most)
        async with database.fenced("items") as connection:
            return (await connection.execute(delete(tables.item_ledger).where(key.in_(rows)))).rowcount

    async def _ask(self, statement: str, player_id: int, *arguments: object) -> Any:
        """The row with which the owner of the player's items answers, after as many tries as a move takes."""
        slot, deadline = slot_of(player_id), time.monotonic() + MOVED_SECONDS
        while True:
            (row,) = await self.owner(player_id).ask(SQL[statement], slot, player_id, *arguments)
            if row.what != "moved":
                return row
            await self._slots.moved(deadline)


async def _read(database: Database, player_ids: Sequence[int]) -> Sequence[Owned | None]:
    """None for a player whose slot has moved."""
    rows = await fetch(database, SQL["read"], list(map(slot_of, player_ids)), list(player_ids))
    return [
        None if row["what"] == "moved" else _holdings(player_id, row["stacks"], row["reserved"])
        for row, player_id in zip(rows, player_ids, strict=True)
    ]


def _holdings(player_id: int, stacks: str | None, reserved: str | None) -> Owned:
    """`stacks` and `reserved` are JSON."""
    return Owned(
        [Stack(*stack) for stack in orjson.loads(stacks or "[]")],
        [
            Open(Reservation(player_id, command_id, token), items, age)
            for command_id, token, items, age in orjson.loads(reserved or "[]")
        ],
    )


async def _confirm(database: Database, paid: Sequence[Reservation]) -> Sequence[None]:
    await database.ask(SQL["confirm"], _slots(paid), *_columns(paid))
    return [None] * len(paid)


async def _reserve(database: Database, wanted: Sequence[_Wanted]) -> Sequence[str]:
    return [row.what for row in await database.ask(SQL["reserve"], _slots(wanted), *_columns(wanted))]


def _slots(rows: Sequence[_Wanted | Reservation | Grant]) -> list[int]:
    return [slot_of(row.player_id) for row in rows]


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
