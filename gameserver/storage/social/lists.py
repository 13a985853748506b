"""Changes of the lists of players that players keep, their friends and whom they block, many in one transaction.

Law: a list is changed under its player's lock, so it never has more than it may, and a delivery that reads it under the
same lock sees every change that was answered. A player that is locked elsewhere is tried again (`Busy`) and holds up
nobody.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import asyncpg

from gameserver.rules.errors import PlayerNotFound
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.slots.locked_players import lock_players
from gameserver.storage.slots.shared_writes import Busy, SharedWrites
from gameserver.storage.slots.slot_map import Slots

SQL = statements.load(__package__, "lists.sql")
ListName = Literal["friends", "blocks"]


class ListFull(Exception):
    """The list has as many as it may have; nothing was changed."""


class ListChange(NamedTuple):
    """A change that a session of `epoch` asks for: `other_id` is added if the list has fewer than `most`, or else goes.

    `most` is None for one that goes.
    """

    list: ListName
    player_id: int
    epoch: int
    other_id: int
    most: int | None

    @property
    def slot(self) -> int:
        return slot_of(self.player_id)


class Lists:
    """One per node; to be closed."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._writes: SharedWrites[ListChange, bool] = SharedWrites(slots, "players", write_lists)

    async def change(self, change: ListChange) -> bool:
        """Whether the list has changed.

        Raises ListFull, SessionRevoked, PlayerNotFound, DatabaseUnavailable, Overloaded.
        """
        if change.slot >= self._slots.size("players"):
            raise PlayerNotFound("There is no such player.")
        return await self._writes.write(change)

    async def close(self) -> None:
        await self._writes.close()


async def write_lists(connection: asyncpg.Connection, changes: Sequence[ListChange]) -> Sequence[bool | Exception]:
    """Whether each list has changed. Raises driver errors."""
    chosen = {change.player_id: change for change in reversed(changes)}
    faults = await lock_players(connection, [(change.player_id, change.epoch) for change in chosen.values()])
    ids = [slot_of(player_id) for player_id in chosen], list(chosen)
    arguments = [*ids, [change.list for change in chosen.values()], [change.other_id for change in chosen.values()]]
    rows = await connection.fetch(SQL["look"], *arguments)
    replies: dict[int, bool | Exception] = {}
    for change, fault, row in zip(chosen.values(), faults, rows, strict=True):
        replies[id(change)] = fault or _reply(change, row)
    changed = [change for change in chosen.values() if replies.get(id(change)) is True]
    await _write(connection, "add", [change for change in changed if change.most is not None])
    await _write(connection, "remove", [change for change in changed if change.most is None])
    return [replies.get(id(change), Busy()) for change in changes]


def _reply(change: ListChange, row: asyncpg.Record) -> bool | Exception:
    """Whether the list changes, or that it is full."""
    if change.most is None or row["present"]:
        return bool(row["present"]) and change.most is None
    return ListFull() if row["count"] >= change.most else True


async def _write(connection: asyncpg.Connection, statement: str, changes: Sequence[ListChange]) -> None:
    if changes:
        rows = [(change.slot, change.player_id, change.list, change.other_id) for change in changes]
        await connection.execute(SQL[statement], *zip(*rows, strict=True))
