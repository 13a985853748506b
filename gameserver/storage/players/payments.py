"""Actions that take items, wherever those are: with the player, or in another database.

Law: what an action takes is taken exactly once with it, and not without it. Where items lie with their player, both are
one transaction. Where they don't, they are reserved in their database under the command and a token of this attempt;
the command's commit, whose ledger row names the token, is the commit point; then the reservation is confirmed. One
that is refused is given back at once. One of unknown fate stays reserved until whoever needs the items, or the
sweeper, asks the ledger in a way after which the attempt can't commit any more (`PaymentLedger.judge`): a node that
was frozen in between and wakes up is refused as unpaid, and begins again if its caller still waits.

In both placements the answers are the same: before a player is told that he hasn't enough, what he was granted has
been delivered, his earlier commands on this node have ended, and what dead attempts had put aside is back. A player's
commands take effect in the order in which they came: while one of his is being paid for, later ones stand in line.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple
from uuid import uuid4

import structlog

from gameserver.rules.errors import DatabaseUnavailable, GameError, OutcomeUnknown, Overloaded, Refused
from gameserver.storage.ids import slot_of
from gameserver.storage.items.inventory import Inventory, Reservation, Stack
from gameserver.storage.items.payment_ledger import Look, PaymentLedger
from gameserver.storage.items.stacks import NOT_ENOUGH, Payment, Unpaid
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.pending import CommitLimits
from gameserver.storage.slots.slot_map import Slots

log = structlog.get_logger()

RIVAL_SECONDS = 0.5
"""How long another node's attempt may take before its reservation is judged by whoever waits for it."""
RIVAL_PAUSE = 0.02
OVERDUE_SECONDS = 15.0
"""How old a reservation is when the sweeper judges it: far older than any attempt's deadline."""
PAID_BEFORE = Payment("", -1)
"""For a command that has committed: it is answered from the ledger or, if it isn't there after all, tried again."""


class Again(Exception):
    """The attempt found something in its way, which has been dealt with."""


class WritePath(NamedTuple):
    """How a node submits a command, and waits until a player has none queued or in flight."""

    submit: Callable[[Command], Awaitable[Receipt]]
    quiet: Callable[[int], Awaitable[None]]


class Payments:
    """One per node."""

    def __init__(
        self, slots: Slots, inventory: Inventory, ledger: PaymentLedger, paths: WritePath, limits: CommitLimits
    ) -> None:
        self._slots = slots
        self._inventory = inventory
        self._ledger = ledger
        self._paths = paths
        self._deadline = limits.deadline
        self._longest_line = limits.queue
        self._lines: dict[int, asyncio.Future[None]] = {}
        self._lined_up = 0

    def has_line(self, player_id: int) -> bool:
        """Whether a command of the player is being paid for, so that later ones have to wait."""
        return player_id in self._lines

    async def act(self, command: Command) -> Receipt:
        """Commits a command that takes items, or whose player has a line; raises what `Players.act` does."""
        if self.has_line(command.player_id) or not self._together(command.player_id):
            return await self._in_line(command)
        try:
            return await self._paths.submit(command)
        except Unpaid:
            return await self._in_line(command)
        except Refused as refusal:
            if refusal.code != NOT_ENOUGH:
                raise
            return await self._in_line(command)

    async def holdings(self, player_id: int) -> list[Stack]:
        """What a player owns: all that was granted by acknowledged commands and not taken by one that has committed.

        Raises DatabaseUnavailable.
        """
        await self._deliver(player_id, await self._ledger.look(player_id))
        stacks, reserved = await self._inventory.read(player_id)
        counts = {each.item: each for each in stacks}
        if reserved:
            paid = await self._ledger.tokens(player_id, [each.reservation.command_id for each in reserved])
            for each in reserved:
                if paid.get(each.reservation.command_id) != each.reservation.token:
                    for item, count in each.items.items():
                        counts[item] = replace(counts[item], count=counts[item].count + count)
        return list(counts.values())

    async def sweep(self, limit: int) -> int:
        """Settles overdue reservations; how many."""
        settled = 0
        for each in await self._inventory.overdue(OVERDUE_SECONDS, limit):
            try:
                await self._judge(each)
                settled += 1
            except DatabaseUnavailable as error:
                log.warning("a reservation waits", command=each.command_id, error=error.detail)
        return settled

    async def run(self) -> None:
        """Confirms what has been paid, until cancelled."""
        await self._inventory.run()

    def _together(self, player_id: int) -> bool:
        """Whether the map has the player and his items in one database."""
        slot = slot_of(player_id)
        return self._slots.owner("items", slot) is self._slots.owner("players", slot)

    async def _in_line(self, command: Command) -> Receipt:
        """Runs the command after those of his that came before; entered before the first await."""
        if self._lined_up >= self._longest_line:
            raise Overloaded("Too many commands are waiting.", retry_after=1)
        player_id, before = command.player_id, self._lines.get(command.player_id)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines[player_id] = mine
        self._lined_up += 1
        ends = time.monotonic() + self._deadline
        try:
            if before is not None and not (await asyncio.wait([before], timeout=self._deadline))[0]:
                raise DatabaseUnavailable("Earlier commands take too long.", retry_after=1)
            return await (self._take(command, ends) if command.takes else self._paths.submit(command))
        finally:
            self._lined_up -= 1
            self._leave(player_id, mine, before)

    def _leave(self, player_id: int, mine: asyncio.Future[None], before: asyncio.Future[None] | None) -> None:
        """Lets the next in line go on, not before whoever was in front has."""
        if before is not None and not before.done():
            before.add_done_callback(lambda _: self._leave(player_id, mine, None))
            return
        mine.set_result(None)
        if self._lines.get(player_id) is mine:
            del self._lines[player_id]

    async def _take(self, command: Command, ends: float) -> Receipt:
        while time.monotonic() < ends:
            together = self._together(command.player_id)
            try:
                return await (self._paths.submit(command) if together else self._pay(command, ends))
            except Again:
                continue
            except Unpaid:
                await self._slots.moved(ends)
            except Refused as refusal:
                if not (together and refusal.code == NOT_ENOUGH and await self._relieve(command.player_id)):
                    raise
        raise DatabaseUnavailable("What the action takes could not be reserved in time.", retry_after=1)

    async def _pay(self, command: Command, ends: float) -> Receipt:
        """One attempt with a reservation. Raises Again, Unpaid, and what the command is refused with."""
        player_id = command.player_id
        look = await self._ledger.look(player_id, command.id)
        if look.known:
            return await self._replay(command)
        await self._deliver(player_id, look)
        reservation = Reservation(player_id, command.id, str(uuid4()))
        match await self._inventory.reserve(reservation, command.takes):
            case "done":
                return await self._spend(command, reservation, look.epoch, ends)
            case "short":
                if await self._relieve(player_id):
                    raise Again
                return await self._paths.submit(replace(command, payment=Payment(None, look.epoch)))
        await self._settle_reserved(player_id)
        raise Again

    async def _replay(self, command: Command) -> Receipt:
        receipt = await self._paths.submit(replace(command, payment=PAID_BEFORE))
        if receipt.payment is not None:
            self._inventory.confirm_soon(Reservation(command.player_id, command.id, receipt.payment))
        return receipt

    async def _spend(self, command: Command, reservation: Reservation, epoch: int, ends: float) -> Receipt:
        try:
            if time.monotonic() > ends:
                raise DatabaseUnavailable("What the action takes could not be reserved in time.", retry_after=1)
            receipt = await self._paths.submit(replace(command, payment=Payment(reservation.token, epoch)))
        except OutcomeUnknown:
            raise
        except (GameError, Unpaid):
            await self._give_back(reservation)
            raise
        if receipt.payment == reservation.token:
            self._inventory.confirm_soon(reservation)
        else:
            await self._give_back(reservation)
        return receipt

    async def _give_back(self, reservation: Reservation) -> None:
        """If the items' database is away, the sweeper does it."""
        with contextlib.suppress(DatabaseUnavailable):
            await self._inventory.give_back(reservation)

    async def _relieve(self, player_id: int) -> bool:
        """Brings in what a player who hasn't enough may still have; whether there was anything."""
        await self._paths.quiet(player_id)
        look = await self._ledger.look(player_id)
        await self._deliver(player_id, look)
        return await self._settle_reserved(player_id) or bool(look.waiting)

    async def _settle_reserved(self, player_id: int) -> bool:
        """Judges what is reserved of a player's items and no attempt's any more; whether anything is reserved."""
        await self._inventory.confirm_all()
        _, reserved = await self._inventory.read(player_id)
        for each in reserved:
            if each.age > RIVAL_SECONDS:
                await self._judge(each.reservation)
            else:
                await asyncio.sleep(RIVAL_PAUSE)
        return bool(reserved)

    async def _judge(self, reservation: Reservation) -> None:
        """Confirms a reservation whose command has committed with it; any other never will, and is given back."""
        if await self._ledger.judge(reservation.player_id, reservation.command_id) == reservation.token:
            self._inventory.confirm_soon(reservation)
            await self._inventory.confirm_all()
        else:
            await self._inventory.give_back(reservation)

    async def _deliver(self, player_id: int, look: Look) -> None:
        """Gives a player the grants that wait for him."""
        if look.waiting:
            await self._inventory.grant_all(look.waiting)
            await self._ledger.end_delivery(player_id, [each.command_id for each in look.waiting])
