"""Many sign-ups at once: each step of a sign-up, for a whole chunk, in one transaction per database.

The same law as for one (`claims`): claims are opened, then the players are inserted with their ledger rows (the commit
point), then the claims are confirmed, if they still are as they were opened. Each transaction takes its group's fence
and asks for ownership in a later statement.
What is in flight when the process dies is left to the sweeper, or taken up by the next one that loads the same names.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

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
Row = tuple[Any, ...]
Work = Callable[[AsyncConnection, Sequence[Row]], Awaitable[Sequence[Any]]]


class Holder(NamedTuple):
    """Whose a key is."""

    player_id: int
    command_id: str
    confirmed: bool


class Reserved(NamedTuple):
    """Who holds the keys that could not be opened, by `kind:text`; and the deadline of those that were, by slot."""

    holders: Mapping[str, Holder]
    deadlines: Mapping[int, datetime]


class Intake:
    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def reserve(self, births: Sequence[Enrolment]) -> Reserved:
        """Opens the claims of the sign-ups' keys: of those that are free, and anew what they have open already."""
        deadlines: dict[int, datetime] = {}

        async def work(connection: AsyncConnection, rows: Sequence[Row]) -> Sequence[Any]:
            deadline = (await connection.execute(SQL["deadline"], {"open_for": OPEN_FOR})).scalar_one()
            asked = {**_columns(rows, "slots", "kinds", "keys", "players", "commands"), "deadline": deadline}
            opened = await connection.execute(SQL["reserve"], asked)
            deadlines.update(dict.fromkeys(asked["slots"], deadline))
            if opened.rowcount == len(rows):
                return ()
            await one_by_one(connection)
            return (await connection.execute(SQL["holders"], asked)).all()

        held = await self._everywhere("accounts", self._claims(births), work)
        return Reserved({f"{kind}:{key}": Holder(*holder) for kind, key, *holder in held}, deadlines)

    async def create(self, births: Sequence[Enrolment]) -> set[str]:
        """Inserts the players whose ids are free; the command ids that have made theirs, now or before."""

        async def work(connection: AsyncConnection, rows: Sequence[Row]) -> Sequence[Any]:
            columns = _columns(
                rows,
                "slots",
                "players",
                "commands",
                "names",
                "classes",
                "levels",
                "hps",
                "exps",
                "times",
                "args",
                "outcomes",
            )
            made = await connection.execute(SQL["create"], columns)
            if made.rowcount == len(rows):
                return [row[2] for row in rows]
            await one_by_one(connection)
            born = {each: columns[each] for each in ("slots", "players", "commands")}
            return (await connection.execute(SQL["born"], born)).scalars().all()

        return set(await self._everywhere("players", [_player(each) for each in births], work))

    async def confirm(self, births: Sequence[Enrolment], reserved: Reserved) -> None:
        """Settles what was opened as the players'."""
        await self._settle("confirm", births, reserved)

    async def release(self, births: Sequence[Enrolment], reserved: Reserved) -> None:
        """Frees what was opened; for sign-ups that will surely make no player under their ids."""
        await self._settle("release", births, reserved)

    async def _settle(self, how: str, births: Sequence[Enrolment], reserved: Reserved) -> None:
        async def work(connection: AsyncConnection, rows: Sequence[Row]) -> Sequence[Any]:
            await one_by_one(connection)
            columns = ("slots", "kinds", "keys", "players", "commands", "deadlines")
            await connection.execute(SQL[how], _columns(rows, *columns))
            return ()

        rows = [(*row, reserved.deadlines[row[0]]) for row in self._claims(births)]
        await self._everywhere("accounts", rows, work)

    def _claims(self, births: Iterable[Enrolment]) -> list[Row]:
        slots = self._slots.size("accounts")
        pairs = ((birth, key.partition(":")) for birth in births for key in birth.keys)
        return [
            (slot_of_key(kind, key, slots), kind, key, birth.player.id, birth.command_id)
            for birth, (kind, _, key) in pairs
        ]

    async def _everywhere(self, group: str, rows: Sequence[Row], work: Work) -> list[Any]:
        """Does the work on each row, which begins with its slot, where the slot is. Raises DatabaseUnavailable."""
        found: list[Any] = []
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            parts: dict[str, list[Row]] = {}
            for row in rows:
                parts.setdefault(self._slots.owner(group, row[0]).name, []).append(row)
            done = await asyncio.gather(*(self._part(group, part, work) for part in parts.values()))
            found += [each for results, _ in done for each in results]
            rows = [row for _, left in done for row in left]
            if not rows:
                return found
            await self._slots.moved(deadline)

    async def _part(self, group: str, rows: Sequence[Row], work: Work) -> tuple[Sequence[Any], Sequence[Row]]:
        """What came of the rows whose slots the database owns, and the other rows. Locked in one order by all."""
        database = self._slots.owner(group, rows[0][0])
        async with database.fenced(group) as connection:
            slots = sorted({row[0] for row in rows})
            owned = set((await connection.execute(SQL[f"{group}_owned"], {"slots": slots})).scalars())
            mine = sorted(row for row in rows if row[0] in owned)
            return (await work(connection, mine) if mine else ()), [row for row in rows if row[0] not in owned]


def _columns(rows: Sequence[Row], *names: str) -> dict[str, Any]:
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def _player(birth: Enrolment) -> Row:
    player, row = birth.player, enrolment_row(birth)
    args, outcome = json_of(row["args"]), json_of(row["outcome"])
    return (slot_of(player.id), player.id, birth.command_id, player.name, player.class_name, player.level, player.hp,
            player.exp, player.created_at, args, outcome)  # fmt: skip
