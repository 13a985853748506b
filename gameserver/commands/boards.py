"""Reading the boards: places, with what is shown of the players who hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gameserver.commands.backend import Backend
from gameserver.rules.boards import Board
from gameserver.rules.errors import NotOnBoard, SeasonNotFound
from gameserver.storage.board_layout import ALL_TIME, Contest
from gameserver.storage.leaderboards import Page

CURRENT, FOR_ALL_TIME = "current", "all-time"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A page of a board; `missing` are those asked for who aren't on it."""

    contest: Contest
    page: Page
    missing: Sequence[int] = ()


def names(backend: Backend) -> list[Board]:
    return backend.calendar.boards()


async def top(backend: Backend, board: str, season: str, limit: int, cursor: str | None) -> Ranked:
    """Raises BoardNotFound, SeasonNotFound, BadInput for the cursor, BoardUnavailable."""
    asked = contest(backend, board, season)
    return Ranked(asked, await backend.boards.top(asked, limit, cursor))


async def around(backend: Backend, board: str, season: str, player_id: int, radius: int) -> Ranked:
    """Raises BoardNotFound, SeasonNotFound, NotOnBoard, BoardUnavailable."""
    asked = contest(backend, board, season)
    return Ranked(asked, await backend.boards.around(asked, player_id, radius))


async def ranks(backend: Backend, board: str, season: str, ids: Sequence[int]) -> Ranked:
    """Those of the ids that are on the board. Raises BoardNotFound, SeasonNotFound, BoardUnavailable."""
    asked = contest(backend, board, season)
    page = await backend.boards.ranks(asked, ids)
    there = {each.player_id for each in page.standings}
    return Ranked(asked, page, [each for each in dict.fromkeys(ids) if each not in there])


async def rank(backend: Backend, board: str, season: str, player_id: int) -> Ranked:
    """One player's place. Raises BoardNotFound, SeasonNotFound, NotOnBoard, BoardUnavailable."""
    found = await ranks(backend, board, season, [player_id])
    if not found.page.standings:
        raise NotOnBoard("The player isn't on this board.")
    return found


def contest(backend: Backend, name: str, season: str) -> Contest:
    """The season of a board that is asked for. Raises BoardNotFound, SeasonNotFound."""
    board, now = backend.calendar.board(name), backend.now()
    number = backend.calendar.number(board, now)
    if season == CURRENT or (number == ALL_TIME and season == FOR_ALL_TIME):
        return Contest(board, number)
    wanted = _parse(season)
    found = [each for each in backend.calendar.contests(now) if each.board is board and each.season == wanted]
    if wanted == ALL_TIME or not found:
        raise SeasonNotFound(f"The board {name} has no such season.")
    return found[0]


def _parse(season: str) -> int:
    """The number of a season that is named by its start; ALL_TIME for what is none."""
    try:
        moment = datetime.fromisoformat(season)
    except ValueError:
        return ALL_TIME
    return int(moment.timestamp()) if moment.tzinfo is not None else ALL_TIME


def season_name(which: Contest) -> str:
    """How a season is told: by its start."""
    if which.season == ALL_TIME:
        return FOR_ALL_TIME
    return datetime.fromtimestamp(which.season, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
