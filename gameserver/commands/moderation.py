"""Banning players and lifting bans, and taking stolen devices from players."""

from gameserver.commands import devices, play
from gameserver.commands.accounts import Accounts
from gameserver.commands.commit import after_commit
from gameserver.commands.operations import Operations
from gameserver.storage.accounts.bans import BanChange, BanState


async def change_ban(operations: Operations, admin: str, change: BanChange) -> BanState:
    """Bans a player or lifts its ban; a ban also ends all of its sessions, on every node within a second.

    The ban may be stored when this raises OutcomeUnknown, also because sessions or past standings can't be reached, or
    a season is being counted: a retry under the same command id finishes.
    Raises PlayerNotFound, CommandMismatch, CommandExpired, OutcomeUnknown, DatabaseUnavailable.
    """
    await play.read(operations.play, change.player_id)
    details = {"command_id": change.command_id}
    await operations.room.audit.note(admin, change.action, str(change.player_id), change.reason, details)
    state = await operations.bans.change(change)
    with after_commit("This is stored, but sessions or past standings couldn't be changed yet: send it again."):
        try:
            await operations.records.hide(change.player_id, hidden=state.banned)
        finally:
            if state.banned:
                await operations.sessions.revoke_all(change.player_id)
    return state


async def end_device(
    operations: Operations, accounts: Accounts, admin: str, reason: str, ended: devices.EndedDevice
) -> None:
    """Takes a device from a player, and ends all of its sessions; raises what `devices.end_device` does."""
    await play.read(operations.play, ended.player_id)
    details = {"command_id": ended.command_id, "device": ended.device_id}
    await operations.room.audit.note(admin, "end_device", str(ended.player_id), reason, details)
    await devices.end_device(accounts, ended)
