"""The devices of players on the databases that own them: listed, added and removed."""

from collections.abc import Sequence

from gameserver.rules.errors import DeviceNotFound, LastCredential, TooManyDevices
from gameserver.storage.accounts.claims import Key
from gameserver.storage.accounts.identities import Alteration, Change, Identities, Identity
from gameserver.storage.accounts.player_keys import Device


class Devices:
    """One per node; `most` is how many devices a player may have."""

    def __init__(self, identities: Identities, most: int) -> None:
        self._identities, self._most = identities, most

    async def listed(self, player_id: int) -> Sequence[Device]:
        """A player's devices, oldest first. Raises DatabaseUnavailable, Overloaded."""
        return await self._identities.devices_of(player_id)

    async def add(self, change: Change, epoch: int, key: Key, label: str) -> Device | None:
        """Commits a device whose claim is open, and gives it as the player has it from now on, or had it before.

        None if the player's `claims_epoch` isn't `epoch` any more, or another copy of the command took effect. Raises
        TooManyDevices, and what `Identities.alter` does.
        """

        def write(identity: Identity) -> Alteration:
            device, holder = Device(key, label, identity.now), identity.holder
            event = {"type": "device_added", "device": device.id}
            if key in [other.key for other in holder.devices]:
                return Alteration([event])
            if len(holder.devices) >= self._most:
                raise TooManyDevices(f"A player may have {self._most} devices: remove one first.")
            is_first = key in [first.key for first in holder.sign_up_devices]
            return Alteration([event], gone=[device], added=[] if is_first else [(device, False)])

        altered = await self._identities.alter(change, epoch, write)
        return None if altered is None or altered[0].replayed else added_to(altered[1], key, label)

    async def remove(self, change: Change, epoch: int, device: Device, *, leave_one: bool) -> int | None:
        """Commits the end of a device and of all sessions; with `leave_one` only if the player can still sign in.

        The epoch that sessions have from then on; None if the player's `claims_epoch` isn't `epoch` any more, or
        another copy of the command took effect.

        Raises DeviceNotFound, LastCredential, and what `Identities.alter` does.
        """

        def write(identity: Identity) -> Alteration:
            holder = identity.holder
            if device.key not in [other.key for other in holder.devices]:
                raise DeviceNotFound
            if leave_one and len(holder.devices) == 1 and not holder.has_password:
                raise LastCredential
            event = {"type": "device_removed", "device": device.id}
            is_first = device.key in [first.key for first in holder.sign_up_devices]
            added = [(device, True)] if is_first else []
            return Alteration([event], session_epoch=identity.session_epoch + 1, gone=[device], added=added)

        altered = await self._identities.alter(change, epoch, write)
        return None if altered is None or altered[0].replayed else altered[1].session_epoch + 1


def added_to(identity: Identity, key: Key, label: str) -> Device:
    """The device as the player has it already or has it again, or as it has just been added."""
    known = [*identity.devices, *identity.holder.sign_up_devices]
    return next((device for device in known if device.key == key), Device(key, label, identity.now))
