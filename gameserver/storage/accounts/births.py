"""The row, ledger entry and claims of a new player."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.player import Player
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.rows import TXID


@dataclass(frozen=True, slots=True)
class Birth:
    """A sign-up's player under its command id; `keys` are the claims that go with him.

    `epoch` is that of his sessions when it was made or, for one that was sent again, when its password was proven.
    """

    command_id: str
    args: dict[str, Any]
    keys: Sequence[str]
    player: Player
    max_hp: int
    epoch: int = 0


def _key(birth: Birth) -> dict[str, int]:
    return {"slot": slot_of(birth.player.id), "player_id": birth.player.id}


def new_row(player: Player) -> dict[str, Any]:
    """A new player's columns."""
    return {
        "slot": slot_of(player.id),
        "id": player.id,
        "name": player.name,
        "class": player.class_name,
        "level": player.level,
        "hp": player.hp,
        "exp": player.exp,
        "version": player.version,
        "session_epoch": 0,
        "void": False,
        "created_at": player.created_at,
        "exp_reached_at": player.exp_reached_at,
    }


def birth_entry(birth: Birth) -> dict[str, Any]:
    """The columns of a sign-up's ledger row."""
    player = birth.player
    told = {"name": player.name, "class": player.class_name, "level": player.level, "hp": player.hp,
            "max_hp": birth.max_hp, "exp": player.exp, "events": [], "keys": list(birth.keys)}  # fmt: skip
    return {
        **_key(birth),
        "command_id": birth.command_id,
        "action": "sign_up",
        "args": birth.args,
        "seed": 0,
        "outcome": told,
        "version": player.version,
        "at": player.created_at,
        "txid": TXID,
    }


async def _find_birth(connection: AsyncConnection, player_id: int, command_id: str) -> Birth | None:
    ledger = tables.ledger.c
    mine = (ledger.slot == slot_of(player_id)) & (ledger.player_id == player_id) & (ledger.command_id == command_id)
    locked = select(tables.ledger).where(mine).with_for_update(read=True, key_share=True)
    row = (await connection.execute(locked)).mappings().first()  # a lock writes, so its commit waits for the standby
    if row is None or row["action"] != "sign_up":
        return None
    told, at = row["outcome"], row["at"]
    player = Player(
        player_id, told["name"], told["class"], told["level"], told["hp"], told["exp"], row["version"], at, at
    )
    return Birth(command_id, row["args"], told["keys"], player, told["max_hp"])
