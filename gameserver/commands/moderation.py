"""Banning players, and lifting bans."""

from gameserver.commands import play
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
