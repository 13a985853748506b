"""Banning players, and lifting bans."""

from gameserver.commands import play
from gameserver.commands.operations import Operations
from gameserver.storage.accounts.bans import BanChange, BanState


async def change_ban(operations: Operations, admin: str, wanted: BanChange) -> BanState:
    """Bans a player or lifts its ban; a ban also ends all of its sessions, on every node within a second.

    On SessionsUnavailable the ban is stored; a retry under the same command id ends the sessions, too. So it is on
    DatabaseUnavailable when past standings can't be reached, or a season is being counted.
    Raises PlayerNotFound, CommandMismatch, CommandExpired, OutcomeUnknown, DatabaseUnavailable.
    """
    await play.read(operations.play, wanted.player_id)
    details = {"command_id": wanted.command_id}
    await operations.room.audit.note(admin, wanted.action, str(wanted.player_id), wanted.reason, details)
    state = await operations.bans.change(wanted)
    try:
        await operations.records.hide(wanted.player_id, hidden=state.banned)
    finally:
        if state.banned:
            await operations.sessions.revoke_all(wanted.player_id)
    return state
