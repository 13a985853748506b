"""Many sign-ups at once: each step of a sign-up, for a whole chunk, in one transaction per database.

Law: the same as for one (claims.py): claims are opened, then the players are inserted with their ledger rows (the
commit point), then the claims are confirmed, if they haven't changed since they were opened. Each transaction takes
its group's fence and asks for ownership in a later statement. What is in flight when the process dies is left to the
sweeper, or finished by the next load of the same names.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

import asyncpg

from gameserver.rules.errors import RulesChanging
from gameserver.storage.accounts.birth_writes import Birth, write_births
from gameserver.storage.accounts.claim_writes import Confirmation, Opening, Release, write_claims
from gameserver.storage.accounts.enrolments import Enrolment, birth_of
from gameserver.storage.ids import slot_of_key
from gameserver.storage.ledger.window import Window
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import one_by_one
from gameserver.storage.slots.shared_writes import SQL as OWNED
from gameserver.storage.slots.slot_map import MOVED_SECONDS, Slots

SQL = statements.load(__package__, "intake.sql")


class _Row(Protocol):
    """What is written to the database that owns its slot; rows of a kind have an order."""

    @property
    def slot(self) -> int: ...

    def __lt__(self, other: Any, /) -> bool: ...


RowT = TypeVar("RowT", bound=_Row)
Work = Callable[[asyncpg.Connection, Sequence[RowT]], Awaitable[Sequence[Any]]]


class Claimant(Protocol):
    """Who claims `keys`, written `kind:text`, under a command id."""

    @property
    def player_id(self) -> int: ...

    @property
    def command_id(self) -> str: ...

    @property
    def keys(self) -> Sequence[str]: ...


class Holder(NamedTuple):
    """What holds a key."""

    player_id: int
    command_id: str
    confirmed: bool


NOBODY = Holder(0, "", confirmed=False)
"""Of a key that has just been released."""


class Reserved(NamedTuple):
    """Holders of the keys that could not be opened, by `kind:text`; deadlines of those that were, by kind and text."""

    holders: Mapping[str, Holder]
    deadlines: Mapping[tuple[str, str], datetime]


class Intake:
    """Signs players up by the thousand, step by step."""

    def __init__(self, slots: Slots, window: Window) -> None:
        self._slots, self._window = slots, window

    async def reserve(self, claimants: Sequence[Claimant]) -> Reserved:
        """Opens claims on the keys that are free, and reopens those that the same sign-ups have opened before."""

        async def work(connection: asyncpg.Connection, rows: Sequence[Opening]) -> Sequence[Any]:
            return [*zip(rows, await write_claims(connection, rows), strict=True)]

        holders, deadlines = dict[str, Holder](), dict[tuple[str, str], datetime]()
        for opening, row in await self._everywhere("accounts", self._openings(claimants), work):
            if row is not None and (row["player_id"], row["command_id"], row["confirmed"]) == (*opening[3:], False):
                deadlines[opening.kind, opening.key] = row["deadline"]
            else:
                holder = NOBODY if row is None else Holder(row["player_id"], row["command_id"], row["confirmed"])
                holders[f"{opening.kind}:{opening.key}"] = holder
        return Reserved(holders, deadlines)

    async def create(self, enrolments: Sequence[Enrolment]) -> set[str]:
        """Inserts the players whose ids are free; the command ids that have made their players, now or before.

        Raises RulesChanging if others than they were drafted by are in force at their birth: then again, from anew.
        """

        async def work(connection: asyncpg.Connection, rows: Sequence[Birth]) -> Sequence[Any]:
            births = await write_births(connection, rows, self._window)
            if away := next((birth for birth in births if isinstance(birth, RulesChanging)), None):
                raise away
            made = [row for row, is_made in zip(rows, births, strict=True) if is_made is True]
            commands = [row.command_id for row in made]
            if len(made) < len(rows):
                columns = [*zip(*(row[:3] for row in rows), strict=True)]
                commands += [row["command_id"] for row in await connection.fetch(SQL["made"], *columns)]
            return commands

        return set(await self._everywhere("players", [birth_of(enrolment) for enrolment in enrolments], work))

    async def confirm(self, claimants: Sequence[Claimant], reserved: Reserved) -> None:
        """Confirms the claims that were opened."""

        async def work(connection: asyncpg.Connection, rows: Sequence[Confirmation]) -> Sequence[Any]:
            return await write_claims(connection, rows)

        await self._everywhere("accounts", self._confirmations(claimants, reserved), work)

    async def release(self, claimants: Sequence[Claimant], reserved: Reserved) -> None:
        """Frees the claims that were opened; for sign-ups that certainly make no player under their ids."""

        async def work(connection: asyncpg.Connection, rows: Sequence[Confirmation]) -> Sequence[Any]:
            return await write_claims(connection, [Release(*row) for row in rows])

        await self._everywhere("accounts", self._confirmations(claimants, reserved), work)

    def _openings(self, claimants: Iterable[Claimant]) -> list[Opening]:
        slots = self._slots.size("accounts")
        pairs = ((claimant, key.partition(":")) for claimant in claimants for key in claimant.keys)
        return [
            Opening(slot_of_key(kind, key, slots), kind, key, claimant.player_id, claimant.command_id)
            for claimant, (kind, _, key) in pairs
        ]

    def _confirmations(self, claimants: Iterable[Claimant], reserved: Reserved) -> list[Confirmation]:
        """Of the claims that were opened."""
        openings = [(opening, opening[1:3]) for opening in self._openings(claimants)]
        return [
            Confirmation(*opening, reserved.deadlines[key]) for opening, key in openings if key in reserved.deadlines
        ]

    async def _everywhere(self, group: str, rows: Sequence[RowT], work: Work[RowT]) -> list[Any]:
        """Runs `work` on each row, which begins with its slot, on the slot's owner. Raises DatabaseUnavailable."""
        results: list[Any] = []
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            parts: dict[str, list[RowT]] = {}
            for row in rows:
                parts.setdefault(self._slots.owner(group, row.slot).name, []).append(row)
            done = await asyncio.gather(*(self._part(group, part, work) for part in parts.values()))
            results += [result for part, _ in done for result in part]
            rows = [row for _, left in done for row in left]
            if not rows:
                return results
            await self._slots.moved(deadline)

    async def _part(self, group: str, rows: Sequence[RowT], work: Work[RowT]) -> tuple[Sequence[Any], Sequence[RowT]]:
        """The results of the rows whose slots the database owns, and the other rows. All lock in the same order."""
        database = self._slots.owner(group, rows[0].slot)
        async with database.fenced(group) as connection:
            await one_by_one(connection)
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            rows_owned = await driver.fetch(OWNED[f"{group}_owned"], sorted({row.slot for row in rows}))
            owned = {row["slot"] for row in rows_owned}
            its_rows = sorted(row for row in rows if row.slot in owned)
            return (await work(driver, its_rows) if its_rows else ()), [row for row in rows if row.slot not in owned]
