"""The shape of a ledger row: written here for every kind of command, and read here.

Law: `outcome` is the first answer, so a retry is answered from the row alone (refusals.py has the refused ones). A
command that changed the player's data has it there as `data`, which no client is shown. `action` and `args` say which
command the row belongs to: the same command id with another action or other arguments is a mismatch.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel
from sqlalchemy import ColumnClause, ColumnElement, literal_column

from gameserver.rules.errors import CommandMismatch, RuleBroken
from gameserver.rules.plain_json import LARGEST_JSON
from gameserver.rules.player import Player
from gameserver.storage import tables
from gameserver.storage.ids import slot_of

LEDGER = tables.ledger
TXID: ColumnClause[int] = literal_column("(select pg_current_xact_id()::text::bigint)")
"""The id of the transaction that writes the row; followers read by it (snapshot.py)."""


class BatchRow(NamedTuple):
    """A row that is written with others, in the order of the statements' arguments; `args` and `outcome` are JSON."""

    slot: int
    player_id: int
    command_id: str
    action: str
    args: str
    seed: int
    outcome: str
    version: int


class Recorded(NamedTuple):
    """What a group commit reads under a command id; `args` and `outcome` are JSON."""

    action: str
    args: str
    outcome: str
    version: int


def json_of(value: object) -> str:
    """JSON as the ledger stores it: equal values always give equal text."""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return orjson.dumps(value).decode()


def bounded_json_of(value: object, what: str) -> str:
    """The JSON of what a rule made. Raises RuleBroken if it is too large, and TypeError for what isn't JSON."""
    text = json_of(value)
    if len(text) > LARGEST_JSON:
        raise RuleBroken(f"{what} of {len(text)} characters of JSON, of at most {LARGEST_JSON}")
    return text


def outcome_of(player: Player, max_hp: int, events: Sequence[Mapping[str, Any]], **extra: object) -> dict[str, Any]:
    """The row's `outcome`: the player after the command, its events, and what else this kind of command answers."""
    return {
        "name": player.name,
        "class": player.class_name,
        "level": player.level,
        "hp": player.hp,
        "max_hp": max_hp,
        "exp": player.exp,
        "events": events,
        **extra,
    }


def player_from(outcome: Mapping[str, Any], player: Player, version: int) -> Player:
    """The player as the first answer showed it; what an answer doesn't show is taken from `player`."""
    return Player(
        id=player.id,
        name=outcome["name"],
        class_name=outcome["class"],
        level=outcome["level"],
        hp=outcome["hp"],
        exp=outcome["exp"],
        version=version,
        created_at=player.created_at,
        exp_reached_at=player.exp_reached_at,
        data=player.data,
    )


def row_of(
    command_id: str, action: str, args: Mapping[str, Any], player: Player, outcome: Mapping[str, Any], at: datetime
) -> dict[str, Any]:
    """The columns of a row for a command outside a group commit: a sign-up, a rename, a deletion, a ban."""
    return {
        "slot": slot_of(player.id),
        "player_id": player.id,
        "command_id": command_id,
        "action": action,
        "args": args,
        "seed": 0,
        "outcome": outcome,
        "version": player.version,
        "at": at,
        "txid": TXID,
    }


def rows_of(player_id: int) -> ColumnElement[bool]:
    """Matches the rows of a player."""
    return (LEDGER.c.slot == slot_of(player_id)) & (LEDGER.c.player_id == player_id)


def require_same(recorded: tuple[str, object], command: tuple[str, object]) -> None:
    """Raises CommandMismatch if the recorded action and arguments aren't the command's."""
    if recorded != command:
        raise CommandMismatch("The command id was used before, for another command.")


def changed_data(before: Player, after: Player) -> dict[str, Any]:
    """What the ledger row says of the player's data: nothing unless it has changed."""
    return {} if after.data is before.data else {"data": orjson.Fragment(after.data.text)}
