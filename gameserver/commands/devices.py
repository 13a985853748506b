"""The devices by which a player signs in: listed, added, and taken away by the player or by an operator.

Law: that of renames (commands/identity.py): the claim is open before the commit that may make it wrong, and the commit
succeeds only if nothing else has changed the player's keys. Taking a device away ends all of the player's sessions,
since whoever has the device may have opened them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gameserver.commands.accounts import Accounts
from gameserver.commands.claims import resolve_all
from gameserver.commands.commit import after_commit
from gameserver.commands.identity import ROUNDS, reserve_all
from gameserver.commands.keys import device_key
from gameserver.commands.proof import require_proof
from gameserver.rules.devices import require_strong
from gameserver.rules.errors import DeviceNotFound, GameError, LastCredential, TooManyChanges, TooManyDevices
from gameserver.storage.accounts.claims import Key
from gameserver.storage.accounts.identities import Change
from gameserver.storage.accounts.player_keys import Device
from gameserver.storage.sessions.sessions import Origin, Session

ANY_EPOCH = (1 << 31) - 1
"""The session epoch of a change that no session makes."""


@dataclass(frozen=True, slots=True)
class EndedDevice:
    """A device that an operator takes from a player."""

    command_id: str
    player_id: int
    device_id: str


async def devices(accounts: Accounts, player_id: int) -> Sequence[Device]:
    """A player's devices, oldest first. Raises DatabaseUnavailable."""
    return await accounts.room.devices.listed(player_id)


async def add_device(accounts: Accounts, session: Session, device: str, label: str, command_id: str) -> Device:
    """Gives the caller's player another device, once per command id.

    Raises ProofNeeded, BadInput (CommandMismatch, CommandExpired), DeviceTaken, TooManyDevices, SessionRevoked,
    PlayerNotFound, TooManyChanges and what is unavailable.
    """
    await require_proof(accounts, session)
    require_strong(device)
    key = device_key(device)
    added = Device(key, label, accounts.policy.now())
    change = Change(command_id, session.player_id, "add_device", {"device": added.id}, session.epoch)
    async with accounts.turns.turn(session.player_id):
        await _add(accounts, change, key, label)
    return next((other for other in await devices(accounts, session.player_id) if other.key == key), added)


async def _add(accounts: Accounts, change: Change, key: Key, label: str) -> None:
    opened: set[Key] = set()
    try:
        for _ in range(ROUNDS):
            identity = await accounts.room.identities.find(change)
            if identity.earlier is not None:
                opened.add(key)
                return
            # Open the claim, then commit if the player's keys are still the ones that were read.
            if await reserve_all(accounts, [key], change, opened) is not None:
                return
            try:
                if await accounts.room.devices.add(change, identity.claims_epoch, key, label) is not None:
                    return
            except TooManyDevices as refusal:
                await _refuse(accounts, change, refusal)
    finally:
        await resolve_all(accounts, change.player_id, opened)
    raise TooManyChanges(retry_after=1)


async def remove_device(
    accounts: Accounts, session: Session, device_id: str, command_id: str, origin: Origin
) -> tuple[str, Session]:
    """Takes a device from the caller's player; the token of its new session, and the session. All others have ended.

    Raises ProofNeeded, DeviceNotFound, LastCredential, BadInput (CommandMismatch, CommandExpired), SessionRevoked,
    PlayerNotFound, TooManyChanges and what is unavailable.
    """
    await require_proof(accounts, session)
    await accounts.sessions.require_open()
    change = Change(command_id, session.player_id, "remove_device", {"device": device_id}, session.epoch)
    async with accounts.turns.turn(session.player_id):
        epoch = await _remove(accounts, change, device_id, leave_one=True)
    with after_commit("The device was removed, but no session could be opened: sign in again."):
        await accounts.sessions.revoke_before(session.player_id, epoch)
        opened = Origin(origin.label, origin.address, by_password=session.by_password)
        return await accounts.sessions.open(session.player_id, epoch, opened)


async def end_device(accounts: Accounts, ended: EndedDevice) -> None:
    """Takes a device from a player for an operator, also its last one, and ends the player's sessions.

    Raises DeviceNotFound, BadInput (CommandMismatch, CommandExpired), PlayerNotFound, TooManyChanges and what is
    unavailable.
    """
    player_id = ended.player_id
    change = Change(ended.command_id, player_id, "remove_device", {"device": ended.device_id}, ANY_EPOCH)
    async with accounts.turns.turn(player_id):
        epoch = await _remove(accounts, change, ended.device_id, leave_one=False)
    with after_commit("The device was removed, but some sessions may go on for some seconds: send this again."):
        await accounts.sessions.revoke_before(player_id, epoch)


async def _remove(accounts: Accounts, change: Change, device_id: str, *, leave_one: bool) -> int:
    """The epoch below which sessions have ended, by this command or by its first copy: later ones go on."""
    opened: set[Key] = set()
    try:
        for _ in range(ROUNDS):
            identity = await accounts.room.identities.find(change)
            if identity.earlier is not None:
                return identity.session_epoch
            try:
                device = await _of_id(accounts, change.player_id, device_id)
                # Reopen the claim, which the commit makes wrong.
                opened.add(device.key)
                await accounts.room.claims.doubt(device.key, change.player_id)
                epoch = await accounts.room.devices.remove(change, identity.claims_epoch, device, leave_one=leave_one)
                if epoch is not None:
                    return epoch
            except (DeviceNotFound, LastCredential) as refusal:
                await _refuse(accounts, change, refusal)
    finally:
        await resolve_all(accounts, change.player_id, opened)
    raise TooManyChanges(retry_after=1)


async def _refuse(accounts: Accounts, change: Change, refusal: GameError) -> None:
    """Records a refusal and raises it (decision 0020); returns if another copy of the command took effect meanwhile."""
    if await accounts.room.identities.refuse(change, refusal) is None:
        raise refusal


async def _of_id(accounts: Accounts, player_id: int, device_id: str) -> Device:
    """The player's device that is shown under this id. Raises DeviceNotFound."""
    for device in await devices(accounts, player_id):
        if device.id == device_id:
            return device
    raise DeviceNotFound
