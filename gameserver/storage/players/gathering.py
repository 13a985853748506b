"""The first step of a group commit: the batch's players are locked, and its commands looked up in the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from gameserver.rules.errors import GameError, PlayerNotFound, SessionRevoked
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.rows import Recorded
from gameserver.storage.players.command import Command, LockedElsewhere
from gameserver.storage.postgres import statements
from gameserver.storage.slots.slot_map import SlotMoved
from gameserver.storage.tables import player_with_data_of

SQL = statements.load(__package__, "batch.sql")


@dataclass(slots=True)
class LockedPlayer:
    """A player whose row the batch holds; `player` as it is now, so after the commands decided so far."""

    player: Player
    session_epoch: int
    changed: bool = False

    def require_session(self, command: Command) -> None:
        """Raises SessionRevoked for a command of a session that has ended."""
        if command.session_epoch < self.session_epoch:
            raise SessionRevoked("The session has ended.")


@dataclass(slots=True)
class Gathered:
    """What a batch works on: every player of its commands is either locked or absent."""

    locked: dict[int, LockedPlayer] = field(default_factory=dict)
    absent: dict[int, GameError | LockedElsewhere | SlotMoved] = field(default_factory=dict)
    """Why a player isn't locked."""
    recorded: dict[tuple[int, str], Recorded] = field(default_factory=dict)
    """Ledger rows by player and command id."""
    now: datetime = field(init=False)
    """The database's time under the fence: one for the batch."""
    edition: int = 0
    """Of the rules that are in force at that time, as the database has it."""
    decided: bool = True
    """Whether that is sure; otherwise nothing may be judged."""


async def gather(connection: asyncpg.Connection, commands: Sequence[Command]) -> Gathered:
    """Takes the fence, locks the players, then reads the ledger: one round trip, two if a player is absent."""
    ids = sorted({command.player_id for command in commands})
    players = [command.player_id for command in commands]
    command_ids = [command.id for command in commands]
    rows = await connection.fetch(
        SQL["gather"],
        [slot_of(player_id) for player_id in ids],
        ids,
        [slot_of(player_id) for player_id in players],
        players,
        command_ids,
        min(command_ids),
        max(command_ids),
    )
    gathered = Gathered()
    last = rows.pop()
    gathered.now, gathered.edition, gathered.decided = last["now"], last["edition"], last["decided"]
    for row in rows:
        if row["command_id"] is None:
            gathered.locked[row["id"]] = LockedPlayer(player_with_data_of(row), row["session_epoch"])
        else:
            recorded = Recorded(row["action"], row["args"], row["outcome"], row["version"])
            gathered.recorded[row["id"], row["command_id"]] = recorded
    if absent := [player_id for player_id in ids if player_id not in gathered.locked]:
        for row in await connection.fetch(SQL["absent"], [slot_of(player_id) for player_id in absent], absent):
            gathered.absent[row["id"]] = _why_absent(row)
    return gathered


def _why_absent(row: asyncpg.Record) -> GameError | LockedElsewhere | SlotMoved:
    if not row["owned"]:
        return SlotMoved()
    return LockedElsewhere() if row["exists"] else PlayerNotFound("There is no such player.")
