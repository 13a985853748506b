"""What every command may use: the storage's interfaces and the rules, met in app.py."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gameserver.commands.pacing import ActionPacing
from gameserver.commands.passwords import Passwords
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.accounts.claims import Claims
from gameserver.storage.accounts.credentials import Credentials
from gameserver.storage.accounts.intake import Intake
from gameserver.storage.boards.check import BoardCheck
from gameserver.storage.boards.standings import Boards
from gameserver.storage.ledger.window import Window
from gameserver.storage.live.presence import Presence
from gameserver.storage.live.pushes import Pushes
from gameserver.storage.operators.audit import Audit
from gameserver.storage.operators.reports import Reports
from gameserver.storage.operators.survey import Survey
from gameserver.storage.players.players import Players
from gameserver.storage.seasons.book import SeasonBook
from gameserver.storage.seasons.calendar import Calendar
from gameserver.storage.seasons.end import SeasonEnd
from gameserver.storage.seasons.past import PastStandings
from gameserver.storage.sessions.attempts import Attempts
from gameserver.storage.sessions.sessions import Sessions
from gameserver.storage.social.feeds import Feeds
from gameserver.storage.social.friends import Friends


@dataclass(frozen=True, slots=True)
class Backend:
    """One per node; `now` is the clock, and `pacing` is None for callers whose actions aren't limited."""

    players: Players
    claims: Claims
    credentials: Credentials
    intake: Intake
    sessions: Sessions
    boards: Boards
    calendar: Calendar
    checks: BoardCheck
    seasons: SeasonBook
    season_end: SeasonEnd
    past: PastStandings
    friends: Friends
    feeds: Feeds
    presence: Presence
    pushes: Pushes
    reports: Reports
    survey: Survey
    audit: Audit
    rulebook: Rulebook
    passwords: Passwords
    attempts: Attempts
    pacing: ActionPacing | None
    window: Window
    deleted_names: Literal["free", "blocked"]
    now: Callable[[], datetime]
