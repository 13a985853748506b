"""Settles what is open between a player's ledger and its items in another database: reservations and grants.

Law: only the ledger says whether a reservation's command has committed (`PaymentLedger.resolve`), and after it has been
asked that command can't commit any more. So a reservation may be resolved by anybody, and again and again.
"""

import asyncio
import contextlib

import structlog

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.items.inventory import Inventory, Reservation
from gameserver.storage.items.payment_ledger import Look, PaymentLedger

log = structlog.get_logger()

RIVAL_SECONDS = 0.5
"""How old another attempt's reservation must be before a command that needs the items has it resolved."""
RIVAL_PAUSE = 0.02
"""Seconds until a younger reservation is looked at again."""
OVERDUE_SECONDS = 15.0
"""How old a reservation is when the sweeper resolves it: far older than any attempt's deadline."""


class Settlement:
    """One per node."""

    def __init__(self, inventory: Inventory, ledger: PaymentLedger) -> None:
        self._inventory, self._ledger = inventory, ledger

    async def sweep(self, limit: int) -> int:
        """Resolves overdue reservations; how many."""
        resolved = 0
        for reservation in await self._inventory.overdue(OVERDUE_SECONDS, limit):
            try:
                await self.resolve(reservation)
                resolved += 1
            except DatabaseUnavailable as error:
                log.warning("reservation not resolved yet", command=reservation.command_id, error=error.detail)
        return resolved

    async def give_back(self, reservation: Reservation) -> None:
        """Left to the sweeper if the items' database is away."""
        with contextlib.suppress(DatabaseUnavailable):
            await self._inventory.give_back(reservation)

    async def resolve_reserved(self, player_id: int) -> bool:
        """Resolves the player's reservations that no attempt still works on; whether anything is reserved."""
        await self._inventory.confirm_all()
        _, reserved = await self._inventory.read(player_id)
        for held in reserved:
            if held.age > RIVAL_SECONDS:
                await self.resolve(held.reservation)
            else:
                await asyncio.sleep(RIVAL_PAUSE)
        return bool(reserved)

    async def resolve(self, reservation: Reservation) -> None:
        """Confirms a reservation whose command has committed with it; any other never will, and is given back."""
        if await self._ledger.resolve(reservation.player_id, reservation.command_id) == reservation.token:
            self._inventory.confirm_soon(reservation)
            await self._inventory.confirm_all()
        else:
            await self._inventory.give_back(reservation)

    async def deliver(self, player_id: int, look: Look) -> None:
        """Adds the grants that wait for a player to its items."""
        if look.waiting:
            await self._inventory.grant_all(look.waiting)
            await self._ledger.end_delivery(player_id, [grant.command_id for grant in look.waiting])
