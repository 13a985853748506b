"""What every command may use: the storage's interfaces and the rules, met in app.py."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gameserver.commands.pacing import ActionPacing
from gameserver.commands.passwords import Passwords
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.audit import Audit
from gameserver.storage.batch import Window
from gameserver.storage.board_check import BoardCheck
from gameserver.storage.calendar import Calendar
from gameserver.storage.claims import Claims
from gameserver.storage.credentials import Credentials
from gameserver.storage.feeds import Feeds
from gameserver.storage.friends import Friends
from gameserver.storage.intake import Intake
from gameserver.storage.leaderboards import Boards
from gameserver.storage.limits import Attempts
from gameserver.storage.past_standings import PastStandings
from gameserver.storage.players import Players
from gameserver.storage.presence import Presence
from gameserver.storage.pushes import Pushes
from gameserver.storage.reports import Reports
from gameserver.storage.season_book import SeasonBook
from gameserver.storage.season_end import SeasonEnd
from gameserver.storage.sessions import Sessions
from gameserver.storage.survey import Survey


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
