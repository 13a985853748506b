"""The items of one group commit: what its commands take from stacks, and what they grant.

Law: a command that takes items is applied only with a payment, reserved on the items' database, that still counts; or
when this database owns the items of the slot and the stacks have enough. Both are read in statements after the players'
locks. What is granted goes into the stacks if this database owns them, else into the outbox, in the same transaction.
Where the node believes the items to be decides nothing: the database checks ownership under the fence of items. A batch
without items costs nothing.
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
"""The kind of an outbox row that grants: its payload is counts by item, its recipient the player itself."""
NUMBER = -1
"""The number of such a row among the outbox rows of its command; letters are numbered from 0."""
NOT_ENOUGH = "not_enough_items"


class Payment(NamedTuple):
    """Items reserved under `token`, in the player's payment epoch; without a token there weren't enough."""

    token: str | None
    epoch: int


class Unpaid(Exception):
    """The items that the command takes aren't here, or its payment doesn't count any more; caught inside storage."""


class Taker(Protocol):
    """A command, as far as the items that it takes are concerned."""

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
    """A stack that the batch changes; `count` is as read under the lock and changed since, None if it wasn't read."""

    count: int | None
    delta: int = 0
    lost: int = 0


@dataclass(slots=True)
class Stacks:
    """The items of one batch.

    `here` says whether the node believes this database to own the items of a slot, `full` whether the outbox has
    reached its bound for the database that does.
    """

    catalogue: Mapping[str, Item]
    here: Callable[[int], bool]
    full: Callable[[int], bool]
    _stacks: dict[tuple[int, str], _Stack] = field(default_factory=dict)
    _epochs: dict[int, int] = field(default_factory=dict)
    _owned: set[int] = field(default_factory=set)
    _grants: list[_Grant] = field(default_factory=list)
    sent: bool = False
    """Whether a grant went into the outbox."""

    async def load(self, connection: asyncpg.Connection, takers: Collection[Taker]) -> None:
        """Reads what decides whether these commands may take their items; called under the players' locks."""
        if paid := sorted({taker.player_id for taker in takers if taker.payment is not None}):
            rows = await connection.fetch(SQL["epochs"], list(map(slot_of, paid)), paid)
            self._epochs = dict(map(tuple, rows))
        unpaid = [taker for taker in takers if taker.payment is None and self.here(slot_of(taker.player_id))]
        if wanted := sorted({(taker.player_id, item) for taker in unpaid for item, _ in taker.takes}):
            await self._lock(connection, wanted)

    async def _lock(self, connection: asyncpg.Connection, wanted: Sequence[tuple[int, str]]) -> None:
        self._stacks = {key: _Stack(0) for key in wanted}
        players, items = zip(*wanted, strict=True)
        for row in await connection.fetch(SQL["lock"], list(map(slot_of, players)), players, items):
            if row["player_id"] is None:
                self._owned.add(row["slot"])
            else:
                self._stacks[row["player_id"], row["item"]] = _Stack(row["count"])

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._stacks or self._grants)

    def check(self, command: Taker) -> None:
        """Raises Unpaid, or Refused when there aren't enough items."""
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
        """Raises Overloaded when the command's grants would go into an outbox that is full."""
        slot = slot_of(command.player_id)
        if grants and not self.here(slot) and self.full(slot):
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
        """Adds as the database does, up to `cap`. A stack that wasn't read only gains: the database applies its cap."""
        if stack.count is None:
            stack.delta += count
            return
        fits = min(count, max(cap - stack.count, 0))
        stack.count += fits
        stack.delta += fits
        stack.lost += count - fits

    def _cap(self, item: str) -> int:
        return cap_of(self.catalogue, item)

    async def write(self, connection: asyncpg.Connection, now: datetime) -> None:
        """Changes the stacks that this database owns, and puts the other grants into the outbox."""
        changes = [(slot_of(player_id), player_id, item, stack.delta, stack.lost, self._cap(item))
                   for (player_id, item), stack in sorted(self._stacks.items())
                   if stack.delta or stack.lost]  # fmt: skip
        elsewhere = set[int]()
        if changes:
            rows = await connection.fetch(SQL["change"], *zip(*changes, strict=True))
            elsewhere = {row["slot"] for row in rows}
        sent = [(slot, grant.player_id, grant.command_id, orjson.dumps(dict(grant.items)).decode())
                for grant in self._grants
                if (slot := slot_of(grant.player_id)) in elsewhere or not grant.here]  # fmt: skip
        if sent:
            self.sent = True
            await connection.fetch(SQL["send"], *zip(*sent, strict=True), NUMBER, KIND, now)


def cap_of(catalogue: Mapping[str, Item], item: str) -> int:
    """The most that a stack of the item holds; no bound for an item that the game doesn't have any more."""
    definition = catalogue.get(item)
    return MAX_COUNT if definition is None else definition.max_stack


def not_enough(takes: Items) -> Refused:
    """The refusal of an action whose player doesn't have the items it takes; `extra` says which."""
    needed = ", ".join(f"{count} {item}" for item, count in takes)
    return Refused(NOT_ENOUGH, f"This takes {needed}.", extra={"takes": dict(takes)})
