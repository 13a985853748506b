"""The commit point of a sign-up: a player's row, ledger row and password, written in one transaction.

Sign-ups that come at about the same time share it (`slots.shared_writes`). Before it the claims are reserved, after it
they are confirmed (claims.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import GameError
from gameserver.rules.player import Player
from gameserver.storage import tables
from gameserver.storage.accounts.birth_writes import SQL, Birth, write_births
from gameserver.storage.ids import player_id_of, slot_of
from gameserver.storage.ledger.refusals import REFUSED_SEED, raise_refusal, refusal_of
from gameserver.storage.ledger.rows import json_of, outcome_of, player_from, rows_of
from gameserver.storage.ledger.window import Window
from gameserver.storage.postgres.commit_points import at_commit_point
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.shared_reads import SharedReads
from gameserver.storage.slots.shared_writes import SharedWrites
from gameserver.storage.slots.slot_map import SlotMoved, Slots

PLAYERS, LEDGER = tables.player_rows, tables.ledger


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The player that a sign-up makes under its command id; `keys` are its claims, written `kind:text`.

    `epoch` is the session epoch of the new player or, for a retry, the one at which its password was verified.
    `edition` and `rules` are of the rulebook that the player begins under: its turn, and its number.
    """

    command_id: str
    args: dict[str, Any]
    keys: Sequence[str]
    player: Player
    max_hp: int
    epoch: int = 0
    edition: int = 0
    rules: int | None = None

    @property
    def player_id(self) -> int:
        return self.player.id


class _Sought(NamedTuple):
    """A command that the ledger may have."""

    slot: int
    player_id: int
    command_id: str


class Enrolments:
    """Makes players on the databases that own them."""

    def __init__(self, slots: Slots, window: Window) -> None:
        self._slots = slots
        births = partial(write_births, window=window)
        self._births: SharedWrites[Birth, bool] = SharedWrites(slots, "players", births)
        self._known: SharedReads[_Sought, bool] = SharedReads(slots, "players", _are_known)

    def id_of(self, command_id: str, attempt: int) -> int:
        """The id of the player that a sign-up makes at its `attempt`, from 0."""
        return player_id_of(command_id, attempt, self._slots.size("players"))

    def database_of(self, command_id: str) -> str:
        """The name of the database on which a sign-up makes its player at its first attempt."""
        return self._slots.owner("players", slot_of(self.id_of(command_id, 0))).name

    async def create(self, enrolment: Enrolment, password_hash: str | None) -> bool:
        """Inserts the player; False when there is a row of this id already.

        Raises OutcomeUnknown when the commit may have taken place, and Overloaded when nothing was written;
        RulesChanging if other rules are in force at the player's birth; and CommandExpired, by the database's clock,
        which is far ahead of the node's then.
        """
        birth = birth_of(enrolment)._replace(password_hash=password_hash)
        return await at_commit_point("the player was made", self._births.write(birth))

    async def close(self) -> None:
        await self._births.close()
        await self._known.close()

    async def refuse(self, enrolment: Enrolment, refusal: GameError) -> Enrolment | bool:
        """Records that the sign-up is refused, in the transaction that keeps its id from being made.

        Returns what another copy of the sign-up has made under this id, or else whether it was recorded: not if the id
        was dead before. Raises the error of an earlier refusal and OutcomeUnknown; Overloaded, RulesChanging and
        CommandExpired when nothing was written.
        """
        nobody = birth_of(enrolment)._replace(name="", class_name="", level=0, hp=0, exp=0, void=True)
        refused = nobody._replace(seed=REFUSED_SEED, outcome=json_of(refusal_of(refusal)))
        if await at_commit_point("the sign-up was refused", self._births.write(refused)):
            return True
        return await self.find(enrolment.player.id, enrolment.command_id) or False

    async def find(self, player_id: int, command_id: str) -> Enrolment | None:
        """What the sign-up `command_id` made under this id, as its first answer showed it; None if nothing.

        Raises NameTaken or DeviceTaken if it was refused for good.
        """

        async def query(connection: AsyncConnection) -> Enrolment | None:
            return await _find(connection, player_id, command_id)

        if not await self._known.ask(_Sought(slot_of(player_id), player_id, command_id)):
            return None
        return await on_owner(self._slots, player_id, query)


def birth_of(enrolment: Enrolment) -> Birth:
    """What is written of a sign-up, without its password."""
    player = enrolment.player
    outcome = outcome_of(player, enrolment.max_hp, [], keys=list(enrolment.keys))
    return Birth(slot_of(player.id), player.id, enrolment.command_id, player.name, player.class_name, player.level,
                 player.hp, player.exp, player.created_at, json_of(enrolment.args), json_of(outcome),
                 edition=enrolment.edition, rules=enrolment.rules)  # fmt: skip


async def _are_known(connection: asyncpg.Connection, sought: Sequence[_Sought]) -> Sequence[bool | SlotMoved]:
    rows = await connection.fetch(SQL["known"], *zip(*dict.fromkeys(sought), strict=True))
    known = {(row["player_id"], row["command_id"]): row["known"] if row["owned"] else SlotMoved() for row in rows}
    return [known[command.player_id, command.command_id] for command in sought]


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
