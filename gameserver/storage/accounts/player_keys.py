"""A player with its unique keys, as its own database has them at one moment: its devices, and its name.

Law: the device of a sign-up is in the ledger row of the sign-up, and counts unless `devices` has it as removed; those
that were added later are in `devices`. So a player that an older node makes has its device without a row there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg
import orjson

from gameserver.rules import names
from gameserver.rules.player import Player
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.ids import sign_up_ids, slot_of
from gameserver.storage.ledger.rows import Recorded
from gameserver.storage.postgres import statements
from gameserver.storage.slots.slot_map import SlotMoved
from gameserver.storage.tables import player_of

SQL = statements.load(__package__, "key_writes.sql")
SHOWN = 16
"""Digits of a device's hash that its owner knows it by."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that signs in a player; `label` is what its client called it."""

    key: Key
    label: str
    added_at: datetime

    @property
    def id(self) -> str:
        """What it is called on the wire; the device itself can't be told from it."""
        return shown_id(self.key)


def shown_id(key: Key) -> str:
    """What the device of a key is called on the wire."""
    return key.text[:SHOWN]


class Sought(NamedTuple):
    """A player, and a command that its ledger may have."""

    slot: int
    player_id: int
    command_id: str | None
    low: str
    high: str


def sought(player_id: int, command_id: str | None) -> Sought:
    return Sought(slot_of(player_id), player_id, command_id, *sign_up_ids(player_id))


class Removed(NamedTuple):
    """A player that was deleted, as it was before; without its name if it was erased since."""

    player: Player
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """A row of `players`, which may be void; the devices of its player, oldest first; and the command's ledger row."""

    row: Player
    void: bool
    deleted: bool
    session_epoch: int
    claims_epoch: int
    has_password: bool
    sign_up_devices: Sequence[Device]
    devices: Sequence[Device]
    now: datetime
    recorded: Recorded | None

    @property
    def player(self) -> Player | None:
        """The player, if it exists."""
        return None if self.void else self.row

    @property
    def keys(self) -> tuple[Key, ...]:
        """Of a player that exists or existed: its devices, and its present or last name."""
        name_keys = (Key(KeyKind.NAME, text) for text in names.keys_of(self.row.name))
        return (*(device.key for device in self.devices), *name_keys)


async def look(connection: asyncpg.Connection, wanted: Sequence[Sought]) -> Sequence[KeyHolder | SlotMoved | None]:
    """What the database has of each; None if there is no row of the id. Raises driver errors."""
    rows = await connection.fetch(SQL["look"], *zip(*wanted, strict=True))
    return [_holder(row) if row["owned"] else SlotMoved() for row in rows]


def _holder(row: asyncpg.Record) -> KeyHolder | None:
    if row["id"] is None:
        return None
    recorded = None
    if row["action"] is not None:
        recorded = Recorded(row["action"], row["args"], row["outcome"], row["recorded_version"])
    first, devices = _devices(row)
    return KeyHolder(player_of(row), row["void"], row["deleted"], row["session_epoch"], row["claims_epoch"],
                   row["has_password"], first, devices, row["now"], recorded)  # fmt: skip


def _devices(row: asyncpg.Record) -> tuple[list[Device], list[Device]]:
    """The devices of the sign-up, also removed ones; and the devices that the player has."""
    keys = [Key.parse(text) for text in orjson.loads(row["first_keys"] or "[]")]
    first = [Device(key, "", row["first_at"]) for key in keys if key.kind is KeyKind.DEVICE]
    if row["device_keys"] is None:
        return first, first
    columns = (row["device_keys"], row["labels"], row["times"], row["removed"])
    later = [
        (Device(Key(KeyKind.DEVICE, key), label, at), removed) for key, label, at, removed in zip(*columns, strict=True)
    ]
    removed = {device.key for device, is_removed in later if is_removed}
    present = [device for device in first if device.key not in removed]
    known = {device.key for device in present}
    return first, present + [device for device, is_removed in later if not is_removed and device.key not in known]
