"""Actions that take items, wherever those are: with the player, or in another database.

Law: an action and what it takes happen both or not at all, exactly once. Where the items lie with their player, both
are one transaction. Where they don't, the items are reserved in their database under the command id and a token of
this attempt; the command's commit, whose ledger row names the token, is the commit point; then the reservation is
confirmed. The reservation of a refused command is given back at once. That of a command of unknown fate stays until
the sweeper, or another command that needs the items, asks the ledger in a way after which the attempt can't commit any
more (`PaymentLedger.resolve`): a node that stalled in between is then refused as unpaid, and begins again if its caller
still waits.

Answers don't depend on the placement: before a player is refused for lack of items, its grants have been delivered,
its earlier commands on this node have ended, and what dead attempts had reserved is back. A player's commands take
effect in the order in which they came: while one is being paid for, later ones stand in line behind it. One that lacks
items where they lie with their player has no line before it is known to lack them; so it is refused then, whatever
later ones have earned meanwhile, and tried again only if something was still on its way to the player.
"""

import asyncio
import time
from dataclasses import replace
from uuid import uuid4

import structlog

from gameserver.rules.errors import DatabaseUnavailable, GameError, OutcomeUnknown, Refused
from gameserver.storage.ids import slot_of
from gameserver.storage.items.inventory import Inventory, Reservation, Stack
from gameserver.storage.items.payment_ledger import PaymentLedger
from gameserver.storage.items.stacks import NOT_ENOUGH, Payment, Unpaid
from gameserver.storage.ledger.window import Window
from gameserver.storage.players.command import Command, Receipt
from gameserver.storage.players.lines import PlayerLines
from gameserver.storage.players.pending import CommitLimits
from gameserver.storage.players.routing import Router
from gameserver.storage.players.settlement import RIVAL_PAUSE, Settlement
from gameserver.storage.postgres.commit_points import before_commit_point
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.slots.slot_map import Slots

log = structlog.get_logger()

PAID_BEFORE = Payment("", -1)
"""For a command that has committed, or is too old to: the ledger answers it, the window refuses it or, if neither does
after all, it is tried again."""
NOTHING_MORE = Payment(None, 0)
"""For a command that lacks items, of which no more are on their way: it can only be refused, or be answered again."""


class Retry(Exception):
    """What was in the attempt's way has been dealt with: the next attempt may succeed."""


class Payments:
    """One per node; `run` owns what is under way, until it is cancelled."""

    def __init__(
        self, slots: Slots, inventory: Inventory, router: Router, limits: CommitLimits, window: Window
    ) -> None:
        self._slots = slots
        self._inventory = inventory
        self._ledger = PaymentLedger(slots)
        self._router = router
        self._window = window
        self._settlement = Settlement(inventory, self._ledger)
        self._lines = PlayerLines(limits.deadline, limits.queue)

    def has_line(self, player_id: int) -> bool:
        """Whether a command of the player is being paid for, so that later ones have to wait."""
        return self._lines.has(player_id)

    async def act(self, command: Command) -> Receipt:
        """Commits a command that takes items, or whose player has a line; raises what `Players.act` does."""
        # Without a line and with the items in the player's database, one transaction does it all.
        if self.has_line(command.player_id) or not self._together(command.player_id):
            return await self._in_line(command)
        try:
            return await self._router.submit(command)
        except Unpaid:
            return await self._in_line(command)
        except Refused as refusal:
            if refusal.code != NOT_ENOUGH:
                raise
            return await self._in_line(command, refusal)

    async def holdings(self, player_id: int) -> list[Stack]:
        """What a player owns: all grants of acknowledged commands, less what committed commands have taken.

        Raises DatabaseUnavailable.
        """
        await self._settlement.deliver(player_id, await self._ledger.look(player_id))
        stacks, reserved = await self._inventory.read(player_id, Purpose.READS)
        owned = {stack.item: stack for stack in stacks}
        if reserved:
            # What is reserved for a command that hasn't committed is still the player's.
            tokens = await self._ledger.tokens(player_id, [held.reservation.command_id for held in reserved])
            for held in reserved:
                if tokens.get(held.reservation.command_id) != held.reservation.token:
                    for item, count in held.items.items():
                        owned[item] = replace(owned[item], count=owned[item].count + count)
        return list(owned.values())

    async def sweep(self, limit: int) -> int:
        """Resolves at most `limit` overdue reservations; how many."""
        return await self._settlement.sweep(limit)

    async def run(self) -> None:
        """Works until cancelled."""
        await self._inventory.run()

    def _together(self, player_id: int) -> bool:
        """Whether the slot map has the player and its items in one database."""
        players, items = self._databases(player_id)
        return players == items

    def _databases(self, player_id: int) -> tuple[str, str]:
        """The names of those that have the player, and its items."""
        slot = slot_of(player_id)
        return self._slots.owner("players", slot).name, self._slots.owner("items", slot).name

    async def _in_line(self, command: Command, lack: Refused | None = None) -> Receipt:
        """Runs the command, which was refused for this lack of items, after the player's earlier ones."""

        async def work(deadline: float) -> Receipt:
            if not command.takes:
                return await self._router.submit(command)
            fitting = command if lack is None else await self._relieved(command, lack)
            return await self._take(fitting, deadline)

        with using(Purpose.PLAY):
            return await self._lines.run(command.player_id, self._databases(command.player_id), work)

    async def _take(self, command: Command, ends: float) -> Receipt:
        """Attempts until one succeeds, is refused for good, or time is up."""
        while time.monotonic() < ends:
            together = self._together(command.player_id)
            try:
                return await (self._router.submit(command) if together else self._pay(command, ends))
            except Retry:
                continue
            except Unpaid:
                # The items are elsewhere by now, or the payment was voided.
                await self._slots.moved(ends)
            except Refused as refusal:
                if not (together and refusal.code == NOT_ENOUGH) or command.payment is not None:
                    raise
                command = await self._relieved(command, refusal)
        raise DatabaseUnavailable("What the action takes could not be reserved in time.", retry_after=1)

    async def _pay(self, command: Command, ends: float) -> Receipt:
        """One attempt with a reservation. Raises Retry, Unpaid, and what the command is refused with."""
        player_id = command.player_id
        # A command that has committed needs no payment, nor does one that is too old to commit: items that an older one
        # has taken may be known for longer than the ledger knows the command.
        with before_commit_point():
            look = await self._ledger.look(player_id, command.id)
        if look.known or not self._window.is_open(command.id, look.now):
            return await self._replay(command)
        reservation = Reservation(player_id, command.id, str(uuid4()))
        with before_commit_point():
            # Grants that wait count as the player's: deliver them first.
            await self._settlement.deliver(player_id, look)
            outcome = await self._inventory.reserve(reservation, command.takes)
        match outcome:
            case "done":
                return await self._spend(command, reservation, look.epoch, ends)
            case "short":
                if await self._relieve(player_id):
                    raise Retry
                # There is nothing more: the player's database refuses the command, or replays it.
                return await self._router.submit(replace(command, payment=NOTHING_MORE))
        # Another attempt of this command has reserved.
        with before_commit_point():
            is_open = await self._settlement.resolve_reserved(player_id)
        if not is_open:
            await asyncio.sleep(RIVAL_PAUSE)
        raise Retry

    async def _replay(self, command: Command) -> Receipt:
        receipt = await self._router.submit(replace(command, payment=PAID_BEFORE))
        if receipt.payment is not None:
            self._inventory.confirm_soon(Reservation(command.player_id, command.id, receipt.payment))
        return receipt

    async def _spend(self, command: Command, reservation: Reservation, epoch: int, ends: float) -> Receipt:
        try:
            if time.monotonic() > ends:
                raise DatabaseUnavailable("What the action takes could not be reserved in time.", retry_after=1)
            receipt = await self._router.submit(replace(command, payment=Payment(reservation.token, epoch)))
        except OutcomeUnknown:
            raise  # it may have committed: the reservation stays until it is resolved
        except (GameError, Unpaid):
            await self._settlement.give_back(reservation)
            raise
        # A replay names the token of the attempt that committed, which may be another one.
        if receipt.payment == reservation.token:
            self._inventory.confirm_soon(reservation)
        else:
            await self._settlement.give_back(reservation)
        return receipt

    async def _relieved(self, command: Command, lack: Refused) -> Command:
        """What to try of a command that lacks items: the same if more were on their way, else what can only be refused.

        Raises the lack itself if the refusal isn't to be recorded.
        """
        if await self._relieve(command.player_id):
            return command
        if not command.repeatable:
            raise lack
        return replace(command, payment=NOTHING_MORE)

    async def _relieve(self, player_id: int) -> bool:
        """Brings in what a player without enough items may still get; whether there was anything."""
        await self._router.quiet(player_id)
        with before_commit_point():
            look = await self._ledger.look(player_id)
            await self._settlement.deliver(player_id, look)
            return await self._settlement.resolve_reserved(player_id) or bool(look.waiting)
