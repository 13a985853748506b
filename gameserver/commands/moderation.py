"""Banning players and lifting bans, and taking stolen devices from players.

Law: past standings lie in another database than the ban they follow. Whoever has written them looks at the player
again, and begins anew if somebody else has changed it meanwhile: so whoever writes last has seen what holds.
"""

import contextlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from gameserver.commands import devices, play
from gameserver.commands.accounts import Accounts
from gameserver.commands.commit import after_commit
from gameserver.commands.operations import Operations
from gameserver.rules.errors import PlayerNotFound
from gameserver.storage.accounts.bans import BanChange, BanState, PresentBan
from gameserver.storage.accounts.due_bans import DueBan
from gameserver.storage.ids import new_command_id
from gameserver.storage.operators.audit import AuditedChange
from gameserver.times import rfc3339

SERVER = "the server"
"""Who lifts a ban whose time is over."""


async def change_ban(operations: Operations, admin: str, change: BanChange) -> BanState:
    """Bans a player or lifts its ban; a ban also ends all of its sessions, on every node within a second.

    The ban may be stored when this raises OutcomeUnknown, also because sessions or past standings can't be reached, or
    a season is being counted: a retry under the same command id finishes.
    Raises PlayerNotFound, CommandMismatch, CommandExpired, OutcomeUnknown, DatabaseUnavailable.
    """
    version = (await play.read(operations.play, change.player_id)).version
    before = {"version": version, **_shown(await operations.bans.present(change.player_id))}
    change = replace(change, by=admin)
    details = {} if change.until is None else {"until": rfc3339(change.until)}
    target, reason = str(change.player_id), change.reason
    entry = AuditedChange(admin, change.action, target, reason, details, change.command_id, before)
    async with operations.room.audit.recorded(entry) as end:
        state = await operations.bans.change(change)
        end.after = {"version": state.player.version, **_shown(state), "replayed": state.replayed}
        await _follow(operations, change, state)
    return state


def _shown(ban: PresentBan | BanState) -> dict[str, Any]:
    """For the audit log, which has the ban's reason under its command id.

    What the player is told, which an erasure takes away, stands with the ban alone.
    """
    until = None if ban.until is None else rfc3339(ban.until)
    return {"banned": ban.banned, "ban": ban.command_id, "until": until}


async def _follow(operations: Operations, change: BanChange, state: BanState) -> None:
    """What has to follow a ban that is stored: past standings, and the player's sessions."""
    with after_commit("This is stored, but sessions or past standings couldn't be changed yet: send it again."):
        try:
            await _hide(operations, change.player_id)
        finally:
            if state.banned:
                await operations.sessions.revoke_all(change.player_id)


async def _hide(operations: Operations, player_id: int) -> None:
    """Hides a banned player, also a deleted one, on past standings, or shows it again."""
    hidden = (await operations.bans.present(player_id)).banned
    while True:
        await operations.records.hide(player_id, hidden=hidden)
        present = (await operations.bans.present(player_id)).banned
        if present == hidden:
            return
        hidden = present


async def follow_ban(operations: Operations, due: DueBan) -> None:
    """Does what has to follow a ban that hasn't ended, in place of a node that died; any may, again and again.

    Raises DatabaseUnavailable, SessionsUnavailable.
    """
    await _hide(operations, due.player_id)
    # Sessions of the epoch that it raised have begun since it was lifted.
    if (epoch := await operations.play.players.epoch(due.player_id)) is not None:
        await operations.sessions.revoke_before(due.player_id, epoch)
    await operations.bans.note_followed(due)


async def lift_due(operations: Operations, due: DueBan, now: datetime) -> None:
    """Lifts a ban whose time is over, with all that follows; any node may do it, again and again.

    A player that was deleted stays as it was then. Raises DatabaseUnavailable.
    """
    number = new_command_id(int(now.timestamp() * 1000))
    lift = BanChange(number, due.player_id, banned=False, reason="its time is over", by=SERVER, of=due.command_id)
    with contextlib.suppress(PlayerNotFound):
        await operations.bans.change(lift)
    await _hide(operations, due.player_id)
    await operations.bans.settle(due)


async def end_device(
    operations: Operations, accounts: Accounts, admin: str, reason: str, ended: devices.EndedDevice
) -> None:
    """Takes a device from a player, and ends all of its sessions; raises what `devices.end_device` does."""
    await play.read(operations.play, ended.player_id)
    before = {"devices": len(await devices.devices(accounts, ended.player_id))}
    details, target = {"device": ended.device_id}, str(ended.player_id)
    entry = AuditedChange(admin, "end_device", target, reason, details, ended.command_id, before)
    async with operations.room.audit.recorded(entry) as end:
        removal = await devices.end_device(accounts, ended)
        end.after = {"devices": removal.devices, "replayed": removal.replayed}
