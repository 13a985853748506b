"""What operators' pages and corrections of players are made with."""

from functools import partial

from gameserver.app.backups import newest_backup
from gameserver.commands.accounts import Accounts
from gameserver.commands.backup_dates import KnownBackups
from gameserver.commands.boards import Leaderboards
from gameserver.commands.correction_scores import Planning
from gameserver.commands.corrections import Corrections
from gameserver.commands.erasure import Erasures
from gameserver.commands.play import Play
from gameserver.commands.player_page import PlayerPages
from gameserver.config.settings import Settings
from gameserver.storage.accounts.erasure import Erasure
from gameserver.storage.ledger.past import Pasts
from gameserver.storage.ledger.window import Window
from gameserver.storage.operators.audit import Audit
from gameserver.storage.rooms import Rooms
from gameserver.storage.seasons.rescoring import Rescoring
from gameserver.storage.slots.slot_map import Slots


def corrections_of(play: Play, pasts: Pasts, leaderboards: Leaderboards, audit: Audit) -> Corrections:
    calendar = leaderboards.seasons.calendar
    planning = Planning(play.rules, calendar, Rescoring(calendar, play.rules), leaderboards.now)
    return Corrections(play, planning, pasts, leaderboards, audit)


def player_pages_of(rooms: Rooms, play: Play, pasts: Pasts, leaderboards: Leaderboards, window: Window) -> PlayerPages:
    return PlayerPages(
        play,
        rooms.social,
        leaderboards,
        rooms.sessions,
        rooms.accounts.bans,
        rooms.operators.notes,
        pasts,
        Rescoring(leaderboards.seasons.calendar, play.rules),
        rooms.operators.audit,
        window,
        rooms.seasons.records,
        rooms.live.presence,
    )


def erasures_of(
    settings: Settings, rooms: Rooms, accounts: Accounts, slots: Slots, leaderboards: Leaderboards
) -> Erasures:
    operators, kept = rooms.operators, settings.backups
    backups = KnownBackups(partial(newest_backup, settings), None if kept is None else kept.stay)
    records, erasure = rooms.seasons.records, Erasure(slots)
    return Erasures(
        accounts,
        erasure,
        records,
        operators.notes,
        rooms.accounts.bans,
        rooms.social,
        rooms.live,
        leaderboards,
        operators.audit,
        operators.mentions,
        backups,
    )
