"""The items of one group commit: what its commands take from stacks, and what they grant.

Law: a command that takes items is applied only with a payment that still counts, reserved on the items' database, or
when this database owns the slot's items and the stacks have that much; both are read in statements after the players'
locks. What is granted goes into the stacks if this database owns them, and else into the outbox, in the same
transaction. Where the node believes the items to be decides nothing: the database is asked under the fence of items.
A batch without items costs nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

import asyncpg
import orjson

from gameserver.rules.errors import Overloaded, Refused
from gameserver.rules.items import MAX_COUNT, Item, Items
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements

SQL = statements.load(__package__, "inventory.sql")
KIND = "items"
"""The kind of an outbox row whose payload is counts by item for its player."""
NUMBER = -1
"""The number of such a row among those of its command; letters count from 0."""
NOT_ENOUGH = "not_enough_items"


class Payment(NamedTuple):
    """What a command takes has been reserved under `token`, in the player's epoch; no token: there isn't that much."""

    token: str | None
    epoch: int


class Unpaid(Exception):
    """What the command takes isn't here, or its payment doesn't count any more; caught inside storage."""


class Taker(Protocol):
    """What a command says of the items that it takes."""

    @property
    def id(self) -> str: ...
    @property
    def player_id(self) -> int: ...
    @property
    def takes(self) -> Items: ...
    @property
    def payment(self) -> Payment | None: ...


class _Grant(NamedTuple):
    player_id: int
    command_id: str
    items: Items
    here: bool


@dataclass(slots=True)
class _Stack:
    """A stack that the batch changes; `count` is that under the lock and as the batch leaves it, None if not read."""

    count: int | None
    delta: int = 0
    lost: int = 0


@dataclass(slots=True)
class Stacks:
    """The items of one batch; `here` says whether the node believes the items of a slot to be in this database.

    `full` says whether so much waits in the outbox that no more may be sent.
    """

    catalogue: Mapping[str, Item]
    here: Callable[[int], bool]
    full: Callable[[], bool]
    _stacks: dict[tuple[int, str], _Stack] = field(default_factory=dict)
    _epochs: dict[int, int] = field(default_factory=dict)
    _owned: set[int] = field(default_factory=set)
    _grants: list[_Grant] = field(default_factory=list)
    sent: bool = False
    """Whether something went into the outbox."""

    async def load(self, connection: asyncpg.Connection, takers: Collection[Taker]) -> None:
        """Reads what decides whether these may take what they take; their players are locked."""
        if paid := sorted({each.player_id for each in takers if each.payment is not None}):
            rows = await connection.fetch(SQL["epochs"], [slot_of(each) for each in paid], paid)
            self._epochs = dict(map(tuple, rows))
        unpaid = [each for each in takers if each.payment is None and self.here(slot_of(each.player_id))]
        if wanted := sorted({(each.player_id, item) for each in unpaid for item, _ in each.takes}):
            await self._lock(connection, wanted)

    async def _lock(self, connection: asyncpg.Connection, wanted: Sequence[tuple[int, str]]) -> None:
        self._stacks = {key: _Stack(0) for key in wanted}
        players, items = zip(*wanted, strict=True)
        for row in await connection.fetch(SQL["lock"], [slot_of(each) for each in players], players, items):
            if row["player_id"] is None:
                self._owned.add(row["slot"])
            else:
                self._stacks[row["player_id"], row["item"]] = _Stack(row["count"])

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._stacks or self._grants)

    def check(self, command: Taker) -> None:
        """Raises Unpaid, or Refused when there isn't enough."""
        if (payment := command.payment) is not None:
            if payment.token is None:
                raise not_enough(command.takes)
            if payment.epoch < self._epochs.get(command.player_id, 0):
                raise Unpaid
            return
        slot = slot_of(command.player_id)
        if slot not in self._owned or (command.player_id, command.takes[0][0]) not in self._stacks:
            raise Unpaid
        for item, count in command.takes:
            if (self._stacks[command.player_id, item].count or 0) < count:
                raise not_enough(command.takes)

    def require_room(self, command: Taker, grants: Items) -> None:
        """Raises Overloaded when the command's grants would have to wait, and too many do."""
        if grants and not self.here(slot_of(command.player_id)) and self.full():
            raise Overloaded("Too many grants wait to be delivered.", retry_after=2)

    def record(self, command: Taker, grants: Items) -> None:
        """Notes what an applied command takes and grants."""
        if command.payment is None:
            for item, count in command.takes:
                stack = self._stacks[command.player_id, item]
                stack.count = (stack.count or 0) - count
                stack.delta -= count
        if not grants:
            return
        here = self.here(slot_of(command.player_id))
        self._grants.append(_Grant(command.player_id, command.id, grants, here))
        if here:
            for item, count in grants:
                self._add(self._stacks.setdefault((command.player_id, item), _Stack(None)), count, self._cap(item))

    @staticmethod
    def _add(stack: _Stack, count: int, cap: int) -> None:
        """Adds as the database does; a stack that wasn't read only gains, so there the order doesn't matter."""
        if stack.count is None:
            stack.delta += count
            return
        kept = min(count, max(cap - stack.count, 0))
        stack.count += kept
        stack.delta += kept
        stack.lost += count - kept

    def _cap(self, item: str) -> int:
        return cap_of(self.catalogue, item)

    async def write(self, connection: asyncpg.Connection, now: datetime) -> None:
        """Writes the stacks that are here, and to the outbox what was granted elsewhere."""
        changes = [(slot_of(who), who, item, each.delta, each.lost, self._cap(item))
                   for (who, item), each in sorted(self._stacks.items()) if each.delta or each.lost]  # fmt: skip
        elsewhere = set[int]()
        if changes:
            rows = await connection.fetch(SQL["change"], *zip(*changes, strict=True))
            elsewhere = {row["slot"] for row in rows}
        sent = [(slot, each.player_id, each.command_id, orjson.dumps(dict(each.items)).decode())
                for each in self._grants
                if (slot := slot_of(each.player_id)) in elsewhere or not each.here]  # fmt: skip
        if sent:
            self.sent = True
            await connection.fetch(SQL["send"], *zip(*sent, strict=True), NUMBER, KIND, now)


def cap_of(catalogue: Mapping[str, Item], item: str) -> int:
    """The most that a stack of the item holds; of one that the game has no more, whatever there is."""
    known = catalogue.get(item)
    return MAX_COUNT if known is None else known.max_stack


def not_enough(takes: Items) -> Refused:
    """What a player is told who hasn't what an action takes; `extra` says what that is."""
    needed = ", ".join(f"{count} {item}" for item, count in takes)
    return Refused(NOT_ENOUGH, f"This takes {needed}.", extra={"takes": dict(takes)})
