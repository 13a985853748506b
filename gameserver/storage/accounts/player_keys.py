"""The unique keys of a player, as the database of the player has them: its devices, and its name.

Law: the device of a sign-up is in the ledger row of the sign-up, and counts unless `devices` has it as removed; those
that were added later are in `devices`. So a player that an older node makes has its device without a row there.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules import names
from gameserver.storage import tables
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.rows import sign_up_of

DEVICES = tables.devices
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
        return self.key.text[:SHOWN]


async def keys_of(connection: AsyncConnection, player_id: int, name: str) -> tuple[Key, ...]:
    """The keys of a player that exists or existed: its devices, and its present or last name."""
    devices = await devices_of(connection, player_id)
    return (*(device.key for device in devices), *(Key(KeyKind.NAME, text) for text in names.keys_of(name)))


async def devices_of(connection: AsyncConnection, player_id: int) -> list[Device]:
    """The devices of a player, oldest first."""
    rows = (await connection.execute(select(DEVICES).where(_rows(player_id)).order_by(DEVICES.c.added_at))).all()
    removed = {row.key for row in rows if row.removed}
    first = [device for device in await _of_sign_up(connection, player_id) if device.key.text not in removed]
    known = {device.key.text for device in first}
    added = [row for row in rows if not row.removed and row.key not in known]
    return first + [Device(Key(KeyKind.DEVICE, row.key), row.label, row.added_at) for row in added]


async def add_device(connection: AsyncConnection, player_id: int, device: Device) -> None:
    """Gives a player another device, or one that was removed before."""
    await _forget(connection, player_id, device.key)
    if device.key not in [first.key for first in await _of_sign_up(connection, player_id)]:
        await _insert(connection, player_id, device, removed=False)


async def remove_device(connection: AsyncConnection, player_id: int, device: Device) -> None:
    """Takes a device from a player."""
    await _forget(connection, player_id, device.key)
    if device.key in [first.key for first in await _of_sign_up(connection, player_id)]:
        await _insert(connection, player_id, device, removed=True)


async def _of_sign_up(connection: AsyncConnection, player_id: int) -> list[Device]:
    row = await sign_up_of(connection, player_id)
    keys = [] if row is None else [Key.parse(text) for text in row.outcome["keys"]]
    return [Device(key, "", row.at) for key in keys if key.kind is KeyKind.DEVICE]


async def _forget(connection: AsyncConnection, player_id: int, key: Key) -> None:
    await connection.execute(delete(DEVICES).where(_rows(player_id), DEVICES.c.key == key.text))


async def _insert(connection: AsyncConnection, player_id: int, device: Device, *, removed: bool) -> None:
    row = {"slot": slot_of(player_id), "player_id": player_id, "key": device.key.text, "label": device.label}
    await connection.execute(insert(DEVICES).values(**row, added_at=device.added_at, removed=removed))


def _rows(player_id: int) -> ColumnElement[bool]:
    return (DEVICES.c.slot == slot_of(player_id)) & (DEVICES.c.player_id == player_id)
