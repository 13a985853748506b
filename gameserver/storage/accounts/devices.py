"""The devices of players on the databases that own them: listed, added and removed."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import DeviceNotFound, LastCredential, TooManyDevices
from gameserver.storage import tables
from gameserver.storage.accounts import player_keys
from gameserver.storage.accounts.claims import Key
from gameserver.storage.accounts.identities import Change, Identities, Identity
from gameserver.storage.accounts.player_keys import Device
from gameserver.storage.ids import slot_of
from gameserver.storage.players.command import Receipt
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.slot_map import Slots

CREDENTIALS = tables.credentials
Written = tuple[list[dict[str, Any]], Mapping[str, Any]]


class Devices:
    """One per node; `most` is how many devices a player may have."""

    def __init__(self, slots: Slots, identities: Identities, most: int) -> None:
        self._slots, self._identities, self._most = slots, identities, most

    async def listed(self, player_id: int) -> list[Device]:
        """A player's devices, oldest first. Raises DatabaseUnavailable."""
        return await on_owner(self._slots, player_id, lambda connection: player_keys.devices_of(connection, player_id))

    async def add(self, change: Change, epoch: int, key: Key, label: str) -> Receipt | None:
        """Commits a device whose claim is open. Raises TooManyDevices, and what `Identities.alter` does."""

        async def write(connection: AsyncConnection, identity: Identity) -> Written:
            device = Device(key, label, identity.now)
            present = await player_keys.devices_of(connection, change.player_id)
            if key not in [other.key for other in present]:
                if len(present) >= self._most:
                    raise TooManyDevices(f"A player may have {self._most} devices: remove one first.")
                await player_keys.add_device(connection, change.player_id, device)
            return [{"type": "device_added", "device": device.id}], {}

        return await self._identities.alter(change, epoch, write)

    async def remove(self, change: Change, epoch: int, device: Device, *, leave_one: bool) -> int | None:
        """Commits the end of a device and of all sessions; with `leave_one` only if the player can still sign in.

        The epoch that sessions have from then on; None if the player's `claims_epoch` isn't `epoch` any more.

        Raises DeviceNotFound, LastCredential, and what `Identities.alter` does.
        """

        epochs: list[int] = []

        async def write(connection: AsyncConnection, identity: Identity) -> Written:
            epochs[:] = [identity.session_epoch + 1]
            present = await player_keys.devices_of(connection, change.player_id)
            if device.key not in [other.key for other in present]:
                raise DeviceNotFound
            if leave_one and len(present) == 1 and not await _has_password(connection, change.player_id):
                raise LastCredential
            await player_keys.remove_device(connection, change.player_id, device)
            event = {"type": "device_removed", "device": device.id}
            return [event], {"session_epoch": epochs[0]}

        receipt = await self._identities.alter(change, epoch, write)
        return None if receipt is None or not epochs else epochs[0]


async def _has_password(connection: AsyncConnection, player_id: int) -> bool:
    same = (CREDENTIALS.c.slot == slot_of(player_id)) & (CREDENTIALS.c.player_id == player_id)
    return (await connection.execute(select(CREDENTIALS.c.slot).where(same))).first() is not None
