"""Settles what is open between a player's ledger and its items in another database: reservations and grants.

Law: only the ledger says whether a reservation's command has committed (`PaymentLedger.resolve`), and after it has been
asked that command can't commit any more. So a reservation may be resolved by anybody, and again and again.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import structlog

from gameserver.rules.errors import Unavailable
from gameserver.storage.items.inventory import Inventory, Reservation
from gameserver.storage.items.payment_ledger import Look, PaymentLedger
from gameserver.storage.postgres.shares import Purpose

log = structlog.get_logger()

RIVAL_SECONDS = 0.5
"""How old another attempt's reservation must be before a command that needs the items has it resolved."""
RIVAL_PAUSE = 0.02
"""Seconds until a younger reservation is looked at again."""
OVERDUE_SECONDS = 15.0
"""How old a reservation is when the sweeper resolves it: far older than any attempt's deadline."""
SWEEP_SECONDS = 5.0
"""How long a sweep may go on over the reservations that need the same databases."""


class Settlement:
    """One per node."""

    def __init__(self, inventory: Inventory, ledger: PaymentLedger) -> None:
        self._inventory, self._ledger = inventory, ledger

    async def sweep(self, limit: int) -> int:
        """Resolves overdue reservations; how many.

        Those that need the same databases are resolved one after another, until one of these is away or the time is up;
        the next sweep goes on.
        """
        parts: dict[tuple[str, str], list[Reservation]] = {}
        for reservation in await self._inventory.overdue(OVERDUE_SECONDS, limit):
            player_id = reservation.player_id
            databases = self._ledger.owner(player_id).name, self._inventory.owner(player_id).name
            parts.setdefault(databases, []).append(reservation)
        return sum(await asyncio.gather(*map(self._sweep_part, parts.values())))

    async def _sweep_part(self, reservations: Sequence[Reservation]) -> int:
        resolved, until = 0, time.monotonic() + SWEEP_SECONDS
        for reservation in reservations:
            try:
                await self.resolve(reservation)
            except Unavailable as error:
                log.warning("reservations not resolved yet", left=len(reservations) - resolved, error=error.detail)
                break
            except Exception:
                log.exception("a reservation can't be resolved", reservation=str(reservation))
            else:
                resolved += 1
            if time.monotonic() > until:
                break
        return resolved

    async def give_back(self, reservation: Reservation) -> None:
        """Left to the sweeper if the items' database is away or too busy: the command's own answer counts."""
        with contextlib.suppress(Unavailable):
            await self._inventory.give_back(reservation)

    async def resolve_reserved(self, player_id: int) -> bool:
        """Resolves the player's reservations that no attempt still works on; whether anything is reserved."""
        await self._inventory.confirmed(player_id)
        _, reserved = await self._inventory.read(player_id, Purpose.PLAY)
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
            await self._inventory.confirmed(reservation.player_id)
        else:
            await self._inventory.give_back(reservation)

    async def deliver(self, player_id: int, look: Look) -> None:
        """Adds the grants that wait for a player to its items."""
        if look.waiting:
            await self._ledger.secure(player_id)
            await self._inventory.grant_all(look.waiting)
            await self._ledger.end_delivery(player_id, [grant.command_id for grant in look.waiting])
