"""The unique keys of a player, and the error when another player has one."""

import hashlib

from gameserver.rules.errors import DeviceTaken, NameTaken
from gameserver.storage.accounts.claims import Key, KeyKind


def device_key(device: str) -> Key:
    """The key of a device: a hash, so that no device id is stored."""
    return Key(KeyKind.DEVICE, hashlib.sha256(device.encode()).hexdigest())


def taken(key: Key) -> NameTaken | DeviceTaken:
    """The error when a key is another player's."""
    if key.kind is KeyKind.NAME:
        return NameTaken("Another player has this name.")
    return DeviceTaken("Another player has this device.")
