"""The devices by which a player signs in: listed, added, and taken away by the player or by an operator.

Law: that of every change of keys (commands/key_changes.py). Taking a device away ends all of the player's sessions,
since whoever has the device may have opened them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gameserver.commands.accounts import Accounts
from gameserver.commands.commit import after_commit
from gameserver.commands.key_changes import Opened, change_keys, doubt, refuse, reserve_all, settle
from gameserver.commands.keys import device_key
from gameserver.commands.proof import require_fresh, require_password
from gameserver.rules.devices import require_strong
from gameserver.rules.errors import DeviceNotFound, LastCredential, TooManyDevices
from gameserver.storage.accounts.claims import Key
from gameserver.storage.accounts.devices import added_to
from gameserver.storage.accounts.identities import Change, Identity
from gameserver.storage.accounts.player_keys import Device, shown_id
from gameserver.storage.sessions.sessions import Origin, Session

ANY_EPOCH = (1 << 31) - 1
"""The session epoch of a change that no session makes."""


@dataclass(frozen=True, slots=True)
class EndedDevice:
    """A device that an operator takes from a player."""

    command_id: str
    player_id: int
    device_id: str


@dataclass(frozen=True, slots=True)
class Removal:
    """The epoch below which a removal has ended sessions: later ones go on; and how many devices are left."""

    epoch: int
    devices: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Addition:
    """A device that is added to a player."""

    key: Key
    label: str


async def devices(accounts: Accounts, player_id: int) -> Sequence[Device]:
    """A player's devices, oldest first. Raises DatabaseUnavailable."""
    return await accounts.room.devices.listed(player_id)


async def own_devices(accounts: Accounts, session: Session) -> Sequence[Device]:
    """The caller's devices, oldest first. Raises RateLimited, DatabaseUnavailable."""
    async with accounts.turns.read(session.player_id, "devices"):
        return await devices(accounts, session.player_id)


async def add_device(accounts: Accounts, session: Session, device: str, label: str, command_id: str) -> Device:
    """Gives the caller's player another device, once per command id.

    Raises ProofNeeded, BadInput (CommandMismatch, CommandExpired), DeviceTaken, TooManyDevices, SessionRevoked,
    PlayerNotFound, TooManyChanges and what is unavailable.
    """
    key = device_key(device)
    change = Change(command_id, session.player_id, "add_device", {"device": shown_id(key)}, session.epoch)
    async with accounts.turns.change(session.player_id):
        require_fresh(accounts, session)
        require_strong(device)
        return await _add(accounts, session, change, Addition(key, label))


async def _add(accounts: Accounts, session: Session, change: Change, addition: Addition) -> Device:
    key = addition.key

    async def attempt(identity: Identity, opened: Opened) -> Device | None:
        require_password(session, identity)
        if identity.earlier is not None:
            opened[key] = None
            return added_to(identity, key, addition.label)
        try:
            if (await reserve_all(accounts, [key], change, opened)) is not None:
                return None  # another copy of the command took effect meanwhile: its answer is found next
            added = await accounts.room.devices.add(change, identity.claims_epoch, key, addition.label)
        except TooManyDevices as refusal:
            await refuse(accounts, change, refusal)
            return None
        if added is not None:
            await settle(accounts, opened, [key])
        return added

    return await change_keys(accounts, change, attempt)


async def remove_device(
    accounts: Accounts, session: Session, device_id: str, command_id: str, origin: Origin
) -> tuple[str, Session]:
    """Takes a device from the caller's player; the token of its new session, and the session. All others have ended.

    Raises ProofNeeded, DeviceNotFound, LastCredential, BadInput (CommandMismatch, CommandExpired), SessionRevoked,
    PlayerNotFound, TooManyChanges and what is unavailable.
    """
    await accounts.sessions.require_open()
    change = Change(command_id, session.player_id, "remove_device", {"device": device_id}, session.epoch)
    async with accounts.turns.change(session.player_id):
        require_fresh(accounts, session)
        epoch = (await _remove(accounts, change, device_id, session)).epoch
    with after_commit("The device was removed, but no session could be opened: sign in again."):
        await accounts.sessions.revoke_before(session.player_id, epoch)
        opened = Origin(origin.label, origin.address, by_password=session.by_password)
        return await accounts.sessions.open(session.player_id, epoch, opened)


async def end_device(accounts: Accounts, ended: EndedDevice) -> Removal:
    """Takes a device from a player for an operator, also its last one, and ends the player's sessions.

    Raises DeviceNotFound, BadInput (CommandMismatch, CommandExpired), PlayerNotFound, TooManyChanges and what is
    unavailable.
    """
    player_id = ended.player_id
    change = Change(ended.command_id, player_id, "remove_device", {"device": ended.device_id}, ANY_EPOCH)
    async with accounts.turns.change(player_id):
        removal = await _remove(accounts, change, ended.device_id)
    with after_commit("The device was removed, but some sessions may go on for some seconds: send this again."):
        await accounts.sessions.revoke_before(player_id, removal.epoch)
    return removal


async def _remove(accounts: Accounts, change: Change, device_id: str, session: Session | None = None) -> Removal:
    """By this command or by its first copy. Without a session, for an operator, also the last credential is taken."""

    async def attempt(identity: Identity, opened: Opened) -> Removal | None:
        if session is not None:
            require_password(session, identity)
        if identity.earlier is not None:
            return Removal(identity.session_epoch, len(identity.devices), replayed=True)
        try:
            device = _of_id(identity, device_id)
            # The claim that the commit makes wrong.
            await doubt(accounts, identity, [device.key], opened)
            leave_one = session is not None
            epoch = await accounts.room.devices.remove(change, identity.claims_epoch, device, leave_one=leave_one)
        except (DeviceNotFound, LastCredential) as refusal:
            await refuse(accounts, change, refusal)
            return None  # another copy of the command took effect meanwhile: its answer is found next
        if epoch is None:
            return None
        await settle(accounts, opened, [])
        return Removal(epoch, len(identity.devices) - 1, replayed=False)

    return await change_keys(accounts, change, attempt)


def _of_id(identity: Identity, device_id: str) -> Device:
    """The player's device that is shown under this id. Raises DeviceNotFound."""
    for device in identity.devices:
        if device.id == device_id:
            return device
    raise DeviceNotFound
