"""The commit point of a sign-up: a player's row, ledger row and password, written in one transaction.

Sign-ups that come at about the same time share it (`slots.shared_writes`). Before it the claims are reserved, after it
they are confirmed (claims.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import GameError
from gameserver.rules.player import Player
from gameserver.storage import tables
from gameserver.storage.accounts.birth_writes import Birth, write_births
from gameserver.storage.accounts.commit import at_commit_point
from gameserver.storage.accounts.player_rows import void_row
from gameserver.storage.ids import player_id_of, slot_of
from gameserver.storage.ledger.refusals import REFUSED_SEED, raise_refusal, refusal_of
from gameserver.storage.ledger.rows import json_of, outcome_of, player_from, row_of, rows_of
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.shared_writes import SharedWrites
from gameserver.storage.slots.slot_map import Slots

PLAYERS, LEDGER = tables.player_rows, tables.ledger


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The player that a sign-up makes under its command id; `keys` are its claims, written `kind:text`.

    `epoch` is the session epoch of the new player or, for a retry, the one at which its password was verified.
    """

    command_id: str
    args: dict[str, Any]
    keys: Sequence[str]
    player: Player
    max_hp: int
    epoch: int = 0

    @property
    def player_id(self) -> int:
        return self.player.id


class Enrolments:
    """Makes players on the databases that own them."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._births: SharedWrites[Birth, bool] = SharedWrites(slots, "players", write_births)

    def id_of(self, command_id: str, attempt: int) -> int:
        """The id of the player that a sign-up makes at its `attempt`, from 0."""
        return player_id_of(command_id, attempt, self._slots.size("players"))

    async def create(self, enrolment: Enrolment, password_hash: str | None) -> bool:
        """Inserts the player; False when there is a row of this id already.

        Raises OutcomeUnknown when the commit may have taken place, and Overloaded when nothing was written.
        """
        birth = birth_of(enrolment)._replace(password_hash=password_hash)
        return await at_commit_point("the player was made", self._births.write(birth))

    async def close(self) -> None:
        await self._births.close()

    async def refuse(self, enrolment: Enrolment, refusal: GameError) -> Enrolment | bool:
        """Records that the sign-up is refused, in the transaction that keeps its id from being made.

        Returns what another copy of the sign-up has made under this id, or else whether it was recorded: not if the id
        was dead before. Raises the error of an earlier refusal, and OutcomeUnknown.
        """
        player = enrolment.player

        async def write(connection: AsyncConnection) -> Enrolment | bool:
            ended = upsert(PLAYERS).values(void_row(player.id)).on_conflict_do_nothing().returning(PLAYERS.c.id)
            if (await connection.execute(ended)).first() is None:
                return await _find(connection, player.id, enrolment.command_id) or False
            row = row_of(
                enrolment.command_id, "sign_up", enrolment.args, player, refusal_of(refusal), player.created_at
            )
            await connection.execute(insert(LEDGER).values({**row, "seed": REFUSED_SEED}))
            return True

        return await at_commit_point("the sign-up was refused", on_owner(self._slots, player.id, write))

    async def find(self, player_id: int, command_id: str) -> Enrolment | None:
        """What the sign-up `command_id` made under this id, as its first answer showed it; None if nothing.

        Raises NameTaken or DeviceTaken if it was refused for good.
        """

        async def query(connection: AsyncConnection) -> Enrolment | None:
            return await _find(connection, player_id, command_id)

        return await on_owner(self._slots, player_id, query)


def birth_of(enrolment: Enrolment) -> Birth:
    """What is written of a sign-up, without its password."""
    player = enrolment.player
    outcome = outcome_of(player, enrolment.max_hp, [], keys=list(enrolment.keys))
    return Birth(slot_of(player.id), player.id, enrolment.command_id, player.name, player.class_name, player.level,
                 player.hp, player.exp, player.created_at, json_of(enrolment.args), json_of(outcome))  # fmt: skip


async def _find(connection: AsyncConnection, player_id: int, command_id: str) -> Enrolment | None:
    locked = select(LEDGER).where(rows_of(player_id), LEDGER.c.command_id == command_id)
    locked = locked.with_for_update(read=True, key_share=True)
    row = (await connection.execute(locked)).mappings().first()  # a lock writes, so its commit waits for the standby
    if row is None or row["action"] != "sign_up":
        return None
    outcome, at = row["outcome"], row["at"]
    raise_refusal(outcome)
    # The outcome holds all the rest, as the first answer showed it.
    unknown = Player(player_id, "", "", level=0, hp=0, exp=0, version=0, created_at=at, exp_reached_at=at)
    player = player_from(outcome, unknown, row["version"])
    return Enrolment(command_id, row["args"], outcome["keys"], player, outcome["max_hp"])
