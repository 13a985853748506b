"""The unique keys of a player, and the error when another player has one."""

import hashlib
from collections.abc import Sequence

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


def may_be_left(key: Key) -> bool:
    """Whether earlier versions may have left a confirmed claim on this key with a player that has lost it.

    They gave up no looks, and not the key of a name with the letter apostrophe when its player wrote another one.
    """
    return is_look(key) or (key.kind is KeyKind.NAME and names.LETTER_APOSTROPHE in key.text)


def rounds_of(keys: Sequence[Key]) -> list[Sequence[Key]]:
    """Keys in the order in which they are reserved for a new player or a new name: those of a round at once.

    Law: of those who want the same keys at the same time, one gets them all. Names that share a key share their looks,
    so who has these, one after the other, competes with nobody but for the device.
    """
    looks = sorted((key for key in keys if is_look(key)), key=str)
    return [*([look] for look in looks), [key for key in keys if not is_look(key)]]


def taken(key: Key) -> NameTaken | DeviceTaken:
    """The error when a key is another player's."""
    if is_look(key):
        return NameTaken("Another player has a name that looks like this one.")
    if key.kind is KeyKind.NAME:
        return NameTaken("Another player has this name.")
    return DeviceTaken("Another player has this device.")
