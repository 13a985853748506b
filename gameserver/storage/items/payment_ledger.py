"""What the players' databases know of payments and grants: the ledger decides how both ended.

Law: a command commits with the payment that its ledger row names, or with none. Once `resolve` has answered that a
command hasn't committed, no payment reserved before can commit it any more: it has raised the player's payment epoch
under the player's lock, and the write path compares the epoch under that lock. Nothing here depends on a clock.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.items.inventory import Grant
from gameserver.storage.items.stacks import KIND, NUMBER, SQL
from gameserver.storage.ledger.refusals import TOOK_EFFECT
from gameserver.storage.postgres.coalescing import DatabaseCoalescer
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import LEAVE_A_MARK
from gameserver.storage.postgres.shares import Purpose
from gameserver.storage.slots.slot_map import MOVED_SECONDS, Slots

NO_COMMAND = str(UUID(int=0))
EPOCHS = tables.payment_epochs


class Look(NamedTuple):
    """Whether the ledger has the command, at what time, the epoch of a payment made then, and the grants that wait."""

    known: bool
    now: datetime
    epoch: int
    waiting: Sequence[Grant]


class PaymentLedger:
    """Every method raises DatabaseUnavailable."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._looking = DatabaseCoalescer(_look, Purpose.PLAY)

    def owner(self, player_id: int) -> Database:
        """The database that owns the player."""
        return self._slots.owner("players", slot_of(player_id))

    async def look(self, player_id: int, command_id: str = NO_COMMAND) -> Look:
        """What has to be known before items are reserved for a command."""
        deadline = time.monotonic() + MOVED_SECONDS
        while True:
            look = await self._looking.ask(self.owner(player_id), (player_id, command_id))
            if look is not None:
                return look
            await self._slots.moved(deadline)

    async def resolve(self, player_id: int, command_id: str) -> str | None:
        """The token that a command committed with, empty if with none.

        None if it hasn't committed: then it can't any more with a payment that is reserved by now.
        """

        async def write(connection: AsyncConnection) -> str | None:
            rows = tables.player_rows.c
            this_player = (rows.slot == slot_of(player_id)) & (rows.id == player_id)
            await connection.execute(select(rows.id).where(this_player).with_for_update(key_share=True))
            token = (await _tokens(connection, player_id, [command_id])).get(command_id)
            if token is None:
                first = {"slot": slot_of(player_id), "player_id": player_id, "epoch": 1}
                raised = upsert(EPOCHS).values(first).on_conflict_do_update(
                    index_elements=[EPOCHS.c.slot, EPOCHS.c.player_id], set_={"epoch": EPOCHS.c.epoch + 1}
                )  # fmt: skip
                await connection.execute(raised)
            return token

        return await self._slots.routed("players", slot_of(player_id), write)

    async def tokens(self, player_id: int, command_ids: Sequence[str]) -> Mapping[str, str]:
        """The tokens of those of the commands that have committed; empty for one that committed with no payment."""

        async def read(connection: AsyncConnection) -> Mapping[str, str]:
            return await _tokens(connection, player_id, command_ids)

        return await self._slots.routed("players", slot_of(player_id), read)

    async def secure(self, player_id: int) -> None:
        """Returns when a synchronous standby has what has been read of the player's database, too."""
        await self.owner(player_id).ask(f"select {LEAVE_A_MARK}")

    async def end_delivery(self, player_id: int, command_ids: Sequence[str]) -> None:
        """Deletes grants that have been delivered from the outbox."""

        async def write(connection: AsyncConnection) -> None:
            box = tables.outbox.c
            grants = (box.slot == slot_of(player_id)) & (box.player_id == player_id) & (box.number == NUMBER)
            await connection.execute(delete(tables.outbox).where(grants, box.command_id.in_(command_ids)))

        await self._slots.routed("players", slot_of(player_id), write)


async def _look(database: Database, questions: Sequence[tuple[int, str]]) -> Sequence[Look | None]:
    """None for a player whose slot has moved."""
    players, commands = map(list, zip(*questions, strict=True))
    rows = await database.ask(SQL["look"], list(map(slot_of, players)), players, commands, KIND)
    return [
        Look(row.known, row.now, row.epoch, [Grant(player_id, *grant) for grant in orjson.loads(row.waiting or "[]")])
        if row.what == "done"
        else None
        for row, player_id in zip(rows, players, strict=True)
    ]


async def _tokens(connection: AsyncConnection, player_id: int, command_ids: Sequence[str]) -> dict[str, str]:
    ledger = tables.ledger.c
    commands = (
        (ledger.slot == slot_of(player_id)) & (ledger.player_id == player_id) & ledger.command_id.in_(command_ids)
    )
    query = select(ledger.command_id, text("coalesce(outcome ->> 'payment', '')")).where(commands, TOOK_EFFECT)
    return {str(command_id): token for command_id, token in await connection.execute(query)}
