"""Erasing what is left of a deleted player: its names, and every text that it or others wrote of it.

Law: figures and the order of what happened stay, so versions, boards, items and the ledgers of others still add up; no
name and no text does. Every step may be repeated. A letter that is still on its way would bring its text after the
erasure: then nothing is erased yet (`on_its_way`). What the player's own ledger has forgotten is found in what others
have (`own_elsewhere`), as far as that can be searched in time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import PlayerNotFound
from gameserver.storage.accounts.erased_letters import ErasedLetter, forget_letter
from gameserver.storage.accounts.erasure_search import Elsewhere, search_others, search_own
from gameserver.storage.accounts.own_ledger import BETWEEN_COPIES, ROWS, OwnLedger, Progress, read
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.slots.owner import can_exist, on_owner
from gameserver.storage.slots.slot_map import Slots

SQL = {name: text(statement) for name, statement in statements.load(__package__, "erasure.sql").items()}


@dataclass(frozen=True, slots=True)
class Traces:
    """What a deleted player has left beside its ledger; `on_its_way` counts its letters that haven't arrived yet."""

    names: frozenset[str]
    progress: Progress
    on_its_way: int


class Erasure:
    """On the databases that own the players; every method raises PlayerNotFound, DatabaseUnavailable."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.ledger = OwnLedger(slots)

    async def traces(self, player_id: int) -> Traces:
        """Raises PlayerNotFound unless the player was deleted."""

        async def work(connection: AsyncConnection) -> Traces:
            player = (await connection.execute(SQL["gone"], _named(player_id))).first()
            if player is None or not player.deleted:
                raise PlayerNotFound("There is no such player that was deleted.")
            progress = read(player.data)
            waiting = (await connection.execute(SQL["waiting"], _named(player_id))).scalar_one()
            return Traces(progress.names | ({player.name} - {""}), progress, waiting)

        return await on_owner(self._slots, player_id, work, reads=True)

    async def own_elsewhere(self, player_id: int, deadline: float) -> Elsewhere:
        """The player's letters that still say something, and its claims on names, as far as they are found in time."""
        return await search_own(self._slots, player_id, deadline)

    async def forget_letter(self, letter: ErasedLetter, sender: int) -> None:
        """Erases what a letter said, from its recipient's inbox and ledger; that it arrived, and its effect, stay.

        One to an id that no player can have has arrived nowhere.
        """
        if not can_exist(self._slots, letter.recipient):
            return

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(BETWEEN_COPIES)
            await forget_letter(connection, letter, sender)

        await on_owner(self._slots, letter.recipient, work)

    async def forget(self, player_id: int) -> dict[str, int]:
        """Erases the player's own rows but for its ledger, the names at last; how many of each table."""
        erased = dict.fromkeys(("inbox", "bans", "players"), 0)
        for step, table in (("refused", "inbox"), ("bans", "bans"), ("player", "players")):

            async def work(connection: AsyncConnection, step: str = step) -> int:
                return (await connection.execute(SQL[step], {**_named(player_id), "rows": ROWS})).rowcount

            count = ROWS
            while count == ROWS:
                count = await on_owner(self._slots, player_id, work)
                erased[table] += count
        return erased

    async def left(self, player_id: int) -> int:
        """How many rows of the player still have something that an erasure takes, or only players that exist have."""

        async def work(connection: AsyncConnection) -> int:
            return int((await connection.execute(SQL["left"], _named(player_id))).scalar_one())

        return await on_owner(self._slots, player_id, work, reads=True)

    async def elsewhere(self, player_id: int, names: Sequence[str], deadline: float) -> Elsewhere:
        """What a search of all others' rows still finds, until a moment of the event loop's clock."""
        return await search_others(self._slots, player_id, names, deadline)


def _named(player_id: int) -> dict[str, Any]:
    return {"slot": slot_of(player_id), "id": player_id}
