"""The unique keys of a player, and the error when another player has one."""

import hashlib

from gameserver.rules import names
from gameserver.rules.errors import DeviceTaken, NameTaken
from gameserver.storage.accounts.claims import Key, KeyKind


def device_key(device: str) -> Key:
    """The key of a device: a hash, so that no device id is stored."""
    return Key(KeyKind.DEVICE, hashlib.sha256(device.encode()).hexdigest())


def name_keys(text: str) -> tuple[Key, ...]:
    """The keys of a name; the first one is for looking it up."""
    return tuple(Key(KeyKind.NAME, key) for key in names.keys_of(text))


def is_look(key: Key) -> bool:
    """Whether a key says what a name looks like, rather than how it is written."""
    return key.kind is KeyKind.NAME and key.text.startswith(names.LOOK)


def taken(key: Key) -> NameTaken | DeviceTaken:
    """The error when a key is another player's."""
    if is_look(key):
        return NameTaken("Another player has a name that looks like this one.")
    if key.kind is KeyKind.NAME:
        return NameTaken("Another player has this name.")
    return DeviceTaken("Another player has this device.")
