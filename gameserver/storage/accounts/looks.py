"""Claims on the looks of names that were taken before looks were claimed: opened, and confirmed if the name still is.

Law: a claim on a look is confirmed only if the claim on the name was confirmed after the look's was opened. A rename or
deletion reopens both at once: one that begins meanwhile either finds the open claim, and its deadline is then another,
or is seen here; but one that reopened the look just before it was opened, and the name's just after it was read, leaves
a confirmed look. Whoever wants that one has its player asked (commands/claims.py), and gets it.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from sqlalchemy import text

from gameserver.rules import names
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.accounts.intake import Intake
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import Slots

SQL = {name: text(statement) for name, statement in statements.load(__package__, "looks.sql").items()}
CHUNK = 2_000
"""Names at a time."""


@dataclass(frozen=True, slots=True)
class LookProgress:
    """How many names were read, and how many of them look like another player's, who keeps the look."""

    names: int = 0
    alike: int = 0


@dataclass(frozen=True, slots=True)
class _ClaimedName:
    """A confirmed claim on a name, and the other keys of the name."""

    slot: int
    text: str
    player_id: int
    command_id: str

    @property
    def keys(self) -> list[str]:
        return [str(Key(KeyKind.NAME, key)) for key in names.keys_of(self.text) if key != self.text]


class Looks:
    """Claims looks for players who don't have them."""

    def __init__(self, slots: Slots, intake: Intake) -> None:
        self._slots, self._intake = slots, intake

    async def claim_all(self) -> AsyncGenerator[LookProgress, None]:
        """Claims the looks of all names; yields the total progress after every chunk.

        Names that share a look stay as they are: the first player gets it. Can be repeated. Raises DatabaseUnavailable.
        """
        total = LookProgress()
        for database in self._slots.databases("accounts"):
            slot, last = -1, ""
            while chunk := await self._page(database, slot, last):
                alike = await self._claim(database, chunk)
                slot, last = chunk[-1].slot, chunk[-1].text
                total = LookProgress(total.names + len(chunk), total.alike + alike)
                yield total

    async def _page(self, database: Database, slot: int, last: str) -> list[_ClaimedName]:
        arguments = {"slot": slot, "last": last, "look": names.LOOK, "limit": CHUNK}
        async with database.snapshot() as connection:
            return [_ClaimedName(*row) for row in await connection.execute(SQL["names"], arguments)]

    async def _claim(self, database: Database, chunk: Sequence[_ClaimedName]) -> int:
        """How many of the chunk's names look like another player's."""
        reserved = await self._intake.reserve(chunk)
        arguments = {"slots": [name.slot for name in chunk], "keys": [name.text for name in chunk]}
        async with database.snapshot() as connection:
            rows = await connection.execute(SQL["confirmed"], arguments)
            still = {(slot, key, player_id) for slot, key, player_id in rows}
        # What isn't confirmed here is left to the sweeper.
        settled = [name for name in chunk if (name.slot, name.text, name.player_id) in still]
        await self._intake.confirm(settled, reserved)
        holders = reserved.holders
        return sum(
            any(key in holders and holders[key].player_id != name.player_id for key in name.keys) for name in chunk
        )
