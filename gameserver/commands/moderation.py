"""Banning players, and lifting bans."""

from dataclasses import dataclass

from gameserver.commands import play
from gameserver.commands.play import Play
from gameserver.storage.accounts.bans import BanChange, Bans, BanState
from gameserver.storage.operators.audit import Audit
from gameserver.storage.seasons.records import SeasonRecords
from gameserver.storage.sessions.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Moderation:
    """What bans need; one per node."""

    bans: Bans
    play: Play
    records: SeasonRecords
    sessions: Sessions
    audit: Audit


async def change_ban(moderation: Moderation, admin: str, wanted: BanChange) -> BanState:
    """Bans a player or lifts its ban; a ban also ends all of its sessions, on every node within a second.

    On SessionsUnavailable the ban is stored; a retry under the same command id ends the sessions, too. So it is on
    DatabaseUnavailable when past standings can't be reached, or a season is being counted.
    Raises PlayerNotFound, CommandMismatch, CommandExpired, OutcomeUnknown, DatabaseUnavailable.
    """
    await play.read(moderation.play, wanted.player_id)
    details = {"command_id": wanted.command_id}
    await moderation.audit.note(admin, wanted.action, str(wanted.player_id), wanted.reason, details)
    state = await moderation.bans.change(wanted)
    try:
        await moderation.records.hide(wanted.player_id, hidden=state.banned)
    finally:
        if state.banned:
            await moderation.sessions.revoke_all(wanted.player_id)
    return state
