"""Reading boards: standings, with what is shown of the players."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gameserver.rules.boards import Board
from gameserver.rules.errors import NotOnBoard, SeasonNotFound
from gameserver.rules.seasons import Season
from gameserver.storage.boards.layout import ALL_TIME, Contest
from gameserver.storage.boards.standings import Boards, Page
from gameserver.storage.rooms import SeasonsRoom
from gameserver.storage.seasons.past import PastStandings
from gameserver.times import moment_in_utc, rfc3339_of_seconds

STALE_MS = 10_000
"""How far a board may lie behind the databases before its answers are stale; followers write every second."""
CURRENT, PREVIOUS, FOR_ALL_TIME = "current", "previous", "all-time"


@dataclass(frozen=True, slots=True)
class Leaderboards:
    """What reading boards needs; one per node."""

    seasons: SeasonsRoom
    standings: Boards
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A page of a board; `missing` are requested players that aren't on it.

    It is stale if it lacks what some database has had for longer than STALE_MS: Redis takes no writes, or the database
    isn't followed; or if Redis has evicted up to when it is followed.
    """

    contest: Contest
    page: Page
    is_stale: bool
    missing: Sequence[int] = ()


def listed(leaderboards: Leaderboards) -> list[tuple[Board, Season | None]]:
    """Every board with its running season, if it has seasons."""
    calendar, now = leaderboards.seasons.calendar, leaderboards.now()
    return [(board, calendar.season(board, now)) for board in calendar.boards()]


async def top(leaderboards: Leaderboards, board: str, season: str, limit: int, cursor: str | None) -> Ranked:
    """Raises BoardNotFound, SeasonNotFound, BadInput for the cursor, BoardUnavailable, DatabaseUnavailable."""
    which = contest(leaderboards, board, season)
    return _ranked(leaderboards, which, await _standings(leaderboards, which).top(which, limit, cursor))


async def around(leaderboards: Leaderboards, board: str, season: str, player_id: int, radius: int) -> Ranked:
    """Raises BoardNotFound, SeasonNotFound, NotOnBoard, BoardUnavailable, DatabaseUnavailable."""
    which = contest(leaderboards, board, season)
    return _ranked(leaderboards, which, await _standings(leaderboards, which).around(which, player_id, radius))


async def ranks(leaderboards: Leaderboards, board: str, season: str, ids: Sequence[int]) -> Ranked:
    """Those of the ids that are on the board. Raises BoardNotFound, SeasonNotFound and what is unavailable."""
    which = contest(leaderboards, board, season)
    page = await _standings(leaderboards, which).ranks(which, ids)
    ranked = {standing.player_id for standing in page.standings}
    missing = [player_id for player_id in dict.fromkeys(ids) if player_id not in ranked]
    return _ranked(leaderboards, which, page, missing)


async def rank(leaderboards: Leaderboards, board: str, season: str, player_id: int) -> Ranked:
    """One player's place. Raises BoardNotFound, SeasonNotFound, NotOnBoard and what is unavailable."""
    ranked = await ranks(leaderboards, board, season, [player_id])
    if not ranked.page.standings:
        raise NotOnBoard("The player isn't on this board.")
    return ranked


def _ranked(leaderboards: Leaderboards, which: Contest, page: Page, missing: Sequence[int] = ()) -> Ranked:
    now_ms = leaderboards.now().timestamp() * 1000
    return Ranked(which, page, page.as_of is not None and now_ms - page.as_of > STALE_MS, missing)


def _standings(leaderboards: Leaderboards, which: Contest) -> Boards | PastStandings:
    """Redis or, when the season is over and counted, the control database."""
    return (
        leaderboards.seasons.past
        if leaderboards.seasons.calendar.is_over(which.board, which.season)
        else leaderboards.standings
    )


def contest(leaderboards: Leaderboards, name: str, season: str) -> Contest:
    """The contest that a board and a season's name mean. Raises BoardNotFound, SeasonNotFound."""
    board, now = leaderboards.seasons.calendar.board(name), leaderboards.now()
    number = leaderboards.seasons.calendar.number(board, now)
    if season == CURRENT or (number == ALL_TIME and season == FOR_ALL_TIME):
        return Contest(board, number)
    wanted = leaderboards.seasons.calendar.previous(board, now) if season == PREVIOUS else _parse(season)
    known = [open_.season for open_ in leaderboards.seasons.calendar.contests(now) if open_.board is board]
    if not wanted or not (wanted in known or leaderboards.seasons.calendar.is_over(board, wanted)):
        raise SeasonNotFound(f"The board {name} has no such season.")
    return Contest(board, wanted)


def _parse(season: str) -> int:
    """The number of a season that is named by its start; ALL_TIME if the text is no such name."""
    moment = moment_in_utc(season)
    return ALL_TIME if moment is None else int(moment.timestamp())


def season_name(which: Contest) -> str:
    """The name of a contest's season: its start, as RFC 3339."""
    return name_of_season(which.season)


def name_of_season(season: int) -> str:
    """The name of a season that begins at this Unix second."""
    return FOR_ALL_TIME if season == ALL_TIME else rfc3339_of_seconds(season)
