"""What players own, in the databases of the group `items`: reserve, give back, confirm, grant, read.

Law: each step is one transaction there, under the fence of items, refused by a database that doesn't own the slot, and
done once however often it is asked for: a reservation by its token, a grant by its command.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import orjson
import structlog
from sqlalchemy import delete, func, select, tuple_

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.rules.items import Item, Items
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.items.stacks import SQL
from gameserver.storage.postgres.coalescing import DatabaseCoalescer
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import MOVED_SECONDS, Slots

log = structlog.get_logger()

KEPT = timedelta(days=30)
"""How long it is remembered what was taken and granted. Far longer than a command id may be old, and than a node may
stay frozen with a grant that it was about to deliver."""
LONGEST_QUEUE = 10_000
"""Reservations of commands that have committed and that wait to be confirmed; the sweeper does what is beyond."""


class Reservation(NamedTuple):
    """Items of a player that are put aside for one attempt at a command, which `token` names."""

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


Owned = TypeVar("Owned", Reservation, Grant)


@dataclass(frozen=True, slots=True)
class Stack:
    """`lost` is what was granted when the stack was full."""

    item: str
    count: int
    lost: int


class Open(NamedTuple):
    """A reservation of which the items' database doesn't know how it ended; `age` in seconds."""

    reservation: Reservation
    items: Mapping[str, int]
    age: float


class Inventory:
    """One per node. `run` confirms in the background until it is cancelled."""

    def __init__(self, slots: Slots, catalogue: Mapping[str, Item]) -> None:
        self._slots = slots
        self._catalogue = catalogue
        self._paid: list[Reservation] = []
        self._wake = asyncio.Event()
        self._reserving = DatabaseCoalescer(_reserve)

    async def read(self, player_id: int) -> tuple[list[Stack], list[Open]]:
        """The player's stacks, and what is reserved of them. Raises DatabaseUnavailable."""
        row = await self._ask("read", player_id)
        stacks = [Stack(*each) for each in orjson.loads(row.stacks or "[]")]
        reserved = [
            Open(Reservation(player_id, command_id, token), items, age)
            for command_id, token, items, age in orjson.loads(row.reserved or "[]")
        ]
        return stacks, reserved

    async def reserve(self, reservation: Reservation, items: Items) -> str:
        """Puts items aside: `done`, `short` (nothing changed) or `rival` (the command has a reservation or had one).

        Raises DatabaseUnavailable; then it may have been done.
        """
        text = orjson.dumps(dict(items)).decode()
        slot, deadline = slot_of(reservation.player_id), time.monotonic() + MOVED_SECONDS
        while True:
            what = await self._reserving.ask(self._slots.owner("items", slot), _Wanted(*reservation, text))
            if what != "moved":
                return what
            await self._slots.moved(deadline)

    async def give_back(self, reservation: Reservation) -> None:
        """Undoes a reservation whose command won't commit with it any more. Raises DatabaseUnavailable."""
        await self._ask("give_back", *reservation)

    def confirm_soon(self, reservation: Reservation) -> None:
        """Notes that the command has committed with this reservation."""
        if len(self._paid) < LONGEST_QUEUE:
            self._paid.append(reservation)
            self._wake.set()

    async def grant(self, grants: Sequence[Grant]) -> list[Grant]:
        """Gives what commands granted, each once; those whose slots have moved, for another try.

        Raises DatabaseUnavailable; then any may have been given.
        """
        left: list[Grant] = []
        names, caps = list(self._catalogue), [each.max_stack for each in self._catalogue.values()]
        for database, mine in self._by_owner(grants):
            slots = [slot_of(each.player_id) for each in mine]
            moved = await database.ask(SQL["grant"], slots, *map(list, zip(*mine, strict=True)), names, caps)
            elsewhere = {row.slot for row in moved}
            left += [each for slot, each in zip(slots, mine, strict=True) if slot in elsewhere]
        if left:
            with contextlib.suppress(DatabaseUnavailable):
                await self._slots.refresh()
        return left

    async def grant_all(self, grants: Sequence[Grant]) -> None:
        """Gives what commands granted, each once, wherever the slots are. Raises DatabaseUnavailable."""
        deadline = time.monotonic() + MOVED_SECONDS
        while grants := await self.grant(grants):
            await self._slots.moved(deadline)

    def _by_owner(self, things: Sequence[Owned]) -> list[tuple[Database, list[Owned]]]:
        found: dict[str, tuple[Database, list[Owned]]] = {}
        for each in things:
            database = self._slots.owner("items", slot_of(each.player_id))
            found.setdefault(database.name, (database, []))[1].append(each)
        return list(found.values())

    async def overdue(self, seconds: float, limit: int) -> list[Reservation]:
        """Reservations that are older, at most `limit` of each database that answers."""
        found: list[Reservation] = []
        for database in self._slots.databases("items"):
            try:
                found += [Reservation(*row) for row in await database.ask(SQL["overdue"], seconds, limit)]
            except DatabaseUnavailable as error:
                log.warning("reservations wait", database=database.name, error=error.detail)
        return found

    async def forget_old(self, most: int) -> int:
        """Deletes what was settled KEPT ago, at most so many rows of each database; how many.

        Raises DatabaseUnavailable.
        """
        ledger, owned = tables.item_ledger.c, tables.items_owned_slots.c
        key = tuple_(ledger.slot, ledger.player_id, ledger.command_id, ledger.kind)
        mine = ledger.slot.in_(select(owned.slot).where(owned.owned))
        old = select(*key.clauses).where(ledger.at < func.now() - KEPT, ledger.settled, mine).limit(most)
        gone = 0
        for database in self._slots.databases("items"):
            async with database.fenced("items") as connection:
                gone += (await connection.execute(delete(tables.item_ledger).where(key.in_(old)))).rowcount
        return gone

    async def run(self) -> None:
        """Confirms what has been paid; what fails is left to the sweeper."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.confirm_all()

    async def confirm_all(self) -> None:
        """Confirms whatever waits for it; what fails is left to the sweeper."""
        paid, self._paid = self._paid, []
        for database, mine in self._by_owner(paid):
            slots = [slot_of(each.player_id) for each in mine]
            try:
                await database.ask(SQL["confirm"], slots, *map(list, zip(*mine, strict=True)))
            except DatabaseUnavailable as error:
                log.warning("confirmations wait", database=database.name, error=error.detail)

    async def _ask(self, statement: str, player_id: int, *arguments: object) -> Any:
        """The row with which the owner of the player's items answers."""
        slot, deadline = slot_of(player_id), time.monotonic() + MOVED_SECONDS
        while True:
            (row,) = await self._slots.owner("items", slot).ask(SQL[statement], slot, player_id, *arguments)
            if row.what != "moved":
                return row
            await self._slots.moved(deadline)


async def _reserve(database: Database, wanted: Sequence[_Wanted]) -> Sequence[str]:
    slots = [slot_of(each.player_id) for each in wanted]
    return [row.what for row in await database.ask(SQL["reserve"], slots, *map(list, zip(*wanted, strict=True)))]
