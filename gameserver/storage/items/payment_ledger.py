"""What the players' databases know of payments and grants: the ledger is the judge of both.

Law: a command commits with the payment that its ledger row names, or with none. Once `judge` has said that a command
hasn't committed, no payment that was reserved before can commit it any more: the player's epoch was raised under his
lock, which the write path reads under that lock. Nothing here reads a clock.
"""

import time
from collections.abc import Mapping, Sequence
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
from gameserver.storage.postgres.coalescing import DatabaseCoalescer
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import MOVED_SECONDS, Slots

NO_COMMAND = str(UUID(int=0))
EPOCHS = tables.payment_epochs


class Look(NamedTuple):
    """Whether the command has committed, the epoch of payments reserved now, and what waits to be delivered."""

    known: bool
    epoch: int
    waiting: Sequence[Grant]


class PaymentLedger:
    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._looking = DatabaseCoalescer(_look)

    async def look(self, player_id: int, command_id: str = NO_COMMAND) -> Look:
        """What has to be known before something is reserved. Raises DatabaseUnavailable."""
        slot, deadline = slot_of(player_id), time.monotonic() + MOVED_SECONDS
        while True:
            found = await self._looking.ask(self._slots.owner("players", slot), (player_id, command_id))
            if found is not None:
                return found
            await self._slots.moved(deadline)

    async def judge(self, player_id: int, command_id: str) -> str | None:
        """The token that a command committed with, empty if with none; None if it won't with what is reserved now."""

        async def write(connection: AsyncConnection) -> str | None:
            who = tables.player_rows.c
            mine = (who.slot == slot_of(player_id)) & (who.id == player_id)
            await connection.execute(select(who.id).where(mine).with_for_update(key_share=True))
            found = (await _tokens(connection, player_id, [command_id])).get(command_id)
            if found is None:
                first = {"slot": slot_of(player_id), "player_id": player_id, "epoch": 1}
                raised = upsert(EPOCHS).values(first).on_conflict_do_update(
                    index_elements=[EPOCHS.c.slot, EPOCHS.c.player_id], set_={"epoch": EPOCHS.c.epoch + 1}
                )  # fmt: skip
                await connection.execute(raised)
            return found

        return await self._slots.routed("players", slot_of(player_id), write)

    async def tokens(self, player_id: int, command_ids: Sequence[str]) -> Mapping[str, str]:
        """The tokens that those of the commands which have committed did so with, empty for none."""

        async def read(connection: AsyncConnection) -> Mapping[str, str]:
            return await _tokens(connection, player_id, command_ids)

        return await self._slots.routed("players", slot_of(player_id), read)

    async def end_delivery(self, player_id: int, command_ids: Sequence[str]) -> None:
        """Takes grants that have been delivered out of the outbox."""

        async def write(connection: AsyncConnection) -> None:
            box = tables.outbox.c
            mine = (box.slot == slot_of(player_id)) & (box.player_id == player_id) & (box.number == NUMBER)
            await connection.execute(delete(tables.outbox).where(mine, box.command_id.in_(command_ids)))

        await self._slots.routed("players", slot_of(player_id), write)


async def _look(database: Database, asked: Sequence[tuple[int, str]]) -> Sequence[Look | None]:
    """None for a player whose slot has moved."""
    players, commands = map(list, zip(*asked, strict=True))
    rows = await database.ask(SQL["look"], [slot_of(each) for each in players], players, commands, KIND)
    return [
        Look(row.known, row.epoch, [Grant(who, *each) for each in orjson.loads(row.waiting or "[]")])
        if row.what == "done"
        else None
        for row, who in zip(rows, players, strict=True)
    ]


async def _tokens(connection: AsyncConnection, player_id: int, command_ids: Sequence[str]) -> dict[str, str]:
    ledger = tables.ledger.c
    mine = (ledger.slot == slot_of(player_id)) & (ledger.player_id == player_id) & ledger.command_id.in_(command_ids)
    told = select(ledger.command_id, text("coalesce(outcome ->> 'payment', '')")).where(mine)
    return {str(command_id): token for command_id, token in await connection.execute(told)}
