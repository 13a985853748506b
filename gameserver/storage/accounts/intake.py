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
from typing import Any, NamedTuple, Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.storage.accounts.claims import OPEN_FOR
from gameserver.storage.accounts.enrolments import Enrolment, enrolment_row
from gameserver.storage.ids import slot_of, slot_of_key
from gameserver.storage.ledger.rows import json_of
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import one_by_one
from gameserver.storage.slots.slot_map import MOVED_SECONDS, Slots

SQL = {name: text(statement) for name, statement in statements.load(__package__, "intake.sql").items()}
PLAYER_COLUMNS = (
    "slots", "players", "commands", "names", "classes", "levels", "hps", "exps", "times", "args", "outcomes"
)  # fmt: skip
Row = tuple[Any, ...]
Work = Callable[[AsyncConnection, Sequence[Row]], Awaitable[Sequence[Any]]]


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


class Reserved(NamedTuple):
    """Holders of the keys that could not be opened, by `kind:text`; deadlines of those that were, by slot."""

    holders: Mapping[str, Holder]
    deadlines: Mapping[int, datetime]


class Intake:
    """Signs players up by the thousand, step by step."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def reserve(self, claimants: Sequence[Claimant]) -> Reserved:
        """Opens claims on the keys that are free, and reopens those that the same sign-ups have opened before."""
        deadlines: dict[int, datetime] = {}

        async def work(connection: AsyncConnection, rows: Sequence[Row]) -> Sequence[Any]:
            deadline = (await connection.execute(SQL["deadline"], {"open_for": OPEN_FOR})).scalar_one()
            arguments = {**_columns(rows, "slots", "kinds", "keys", "players", "commands"), "deadline": deadline}
            opened = await connection.execute(SQL["reserve"], arguments)
            deadlines.update(dict.fromkeys(arguments["slots"], deadline))
            if opened.rowcount == len(rows):
                return ()
            await one_by_one(connection)
            return (await connection.execute(SQL["holders"], arguments)).all()

        holders = await self._everywhere("accounts", self._claims(claimants), work)
        return Reserved({f"{kind}:{key}": Holder(*holder) for kind, key, *holder in holders}, deadlines)

    async def create(self, enrolments: Sequence[Enrolment]) -> set[str]:
        """Inserts the players whose ids are free; the command ids that have made their players, now or before."""

        async def work(connection: AsyncConnection, rows: Sequence[Row]) -> Sequence[Any]:
            columns = _columns(rows, *PLAYER_COLUMNS)
            made = await connection.execute(SQL["create"], columns)
            if made.rowcount == len(rows):
                return [row[2] for row in rows]
            await one_by_one(connection)
            wanted = {name: columns[name] for name in ("slots", "players", "commands")}
            return (await connection.execute(SQL["made"], wanted)).scalars().all()

        return set(await self._everywhere("players", [_player_values(enrolment) for enrolment in enrolments], work))

    async def confirm(self, claimants: Sequence[Claimant], reserved: Reserved) -> None:
        """Confirms the claims that were opened."""
        await self._settle("confirm", claimants, reserved)

    async def release(self, claimants: Sequence[Claimant], reserved: Reserved) -> None:
        """Frees the claims that were opened; for sign-ups that certainly make no player under their ids."""
        await self._settle("release", claimants, reserved)

    async def _settle(self, how: str, claimants: Sequence[Claimant], reserved: Reserved) -> None:
        async def work(connection: AsyncConnection, rows: Sequence[Row]) -> Sequence[Any]:
            await one_by_one(connection)
            columns = ("slots", "kinds", "keys", "players", "commands", "deadlines")
            await connection.execute(SQL[how], _columns(rows, *columns))
            return ()

        rows = [(*row, reserved.deadlines[row[0]]) for row in self._claims(claimants)]
        await self._everywhere("accounts", rows, work)

    def _claims(self, claimants: Iterable[Claimant]) -> list[Row]:
        slots = self._slots.size("accounts")
        pairs = ((claimant, key.partition(":")) for claimant in claimants for key in claimant.keys)
        return [
            (slot_of_key(kind, key, slots), kind, key, claimant.player_id, claimant.command_id)
            for claimant, (kind, _, key) in pairs
        ]

    async def _everywhere(self, group: str, rows: Sequence[Row], work: Work) -> list[Any]:
        """Runs `work` on each row, which begins with its slot, on the slot's owner. Raises DatabaseUnavailable."""
        results: list[Any] = []
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            parts: dict[str, list[Row]] = {}
            for row in rows:
                parts.setdefault(self._slots.owner(group, row[0]).name, []).append(row)
            done = await asyncio.gather(*(self._part(group, part, work) for part in parts.values()))
            results += [result for part, _ in done for result in part]
            rows = [row for _, left in done for row in left]
            if not rows:
                return results
            await self._slots.moved(deadline)

    async def _part(self, group: str, rows: Sequence[Row], work: Work) -> tuple[Sequence[Any], Sequence[Row]]:
        """The results of the rows whose slots the database owns, and the other rows. All lock in the same order."""
        database = self._slots.owner(group, rows[0][0])
        async with database.fenced(group) as connection:
            slots = sorted({row[0] for row in rows})
            owned = set((await connection.execute(SQL[f"{group}_owned"], {"slots": slots})).scalars())
            its_rows = sorted(row for row in rows if row[0] in owned)
            return (await work(connection, its_rows) if its_rows else ()), [row for row in rows if row[0] not in owned]


def _columns(rows: Sequence[Row], *names: str) -> dict[str, Any]:
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _player_values(enrolment: Enrolment) -> Row:
    player, row = enrolment.player, enrolment_row(enrolment)
    args, outcome = json_of(row["args"]), json_of(row["outcome"])
    return (slot_of(player.id), player.id, enrolment.command_id, player.name, player.class_name, player.level,
            player.hp, player.exp, player.created_at, args, outcome)  # fmt: skip
