"""Boards: what they are, their pages, and the places of players on them."""

from collections.abc import Iterable
from typing import NotRequired

from typing_extensions import TypedDict

from gameserver.commands.boards import season_name
from gameserver.commands.results import Ranked, Standing
from gameserver.rules.boards import Board, describe
from gameserver.rules.seasons import Season
from gameserver.times import rfc3339_of_microseconds, rfc3339_of_seconds

RankedPlayer = TypedDict("RankedPlayer", {"id": str, "name": str, "class": str, "level": int})


class StandingAnswer(TypedDict):
    rank: int
    score: int
    reached_at: str
    player: RankedPlayer


class PlaceAnswer(StandingAnswer):
    """A standing; `percentile` is how many per cent of the board's players have a worse score."""

    percentile: float


class BoardHead(TypedDict):
    """What every answer about a board has: it is complete up to the ledger's time `as_of`.

    `stale` if that is more than ten seconds ago, or if this is an older page, served while the board can't be read.
    """

    board: str
    season: str
    total: int
    as_of: str | None
    stale: NotRequired[bool]


class BoardAnswer(BoardHead):
    """Entries in their order."""

    entries: list[StandingAnswer]
    next_cursor: str | None


class RankAnswer(BoardHead):
    entry: PlaceAnswer


class RanksAnswer(BoardHead):
    """`not_on_board`: the players asked for that aren't on the board."""

    entries: list[PlaceAnswer]
    not_on_board: list[str]


class SeasonListed(TypedDict):
    """When a season's board starts anew (a cron expression in a time zone), and the present season."""

    cron: str
    zone: str
    starts_at: str
    ends_at: str


class RewardListed(TypedDict):
    """What the players of these ranks get when a season ends."""

    first: int
    last: int
    exp: int
    text: str


BoardListed = TypedDict(
    "BoardListed",
    {"name": str, "score": str, "class": str | None, "min_level": int | None, "max_level": int | None, "operator": str,
     "order": str, "ties": str, "size": int | None, "season": str | SeasonListed, "rewards": list[RewardListed]},
)  # fmt: skip


class BoardsAnswer(TypedDict):
    boards: list[BoardListed]


def board_list(listed: Iterable[tuple[Board, Season | None]]) -> BoardsAnswer:
    return {"boards": [_listed(board, season) for board, season in listed]}


def _listed(board: Board, season: Season | None) -> BoardListed:
    listed: BoardListed = describe(board)  # type: ignore[assignment]
    if season is not None and board.schedule is not None:
        listed["season"] = {
            "cron": board.schedule.cron,
            "zone": board.schedule.zone,
            "starts_at": rfc3339_of_seconds(season.start),
            "ends_at": rfc3339_of_seconds(season.end),
        }
    return listed


def board(ranked: Ranked) -> BoardAnswer:
    page = ranked.page
    entries = [_standing(standing) for standing in page.standings]
    return {**_head(ranked), "entries": entries, "next_cursor": page.after, **_staleness(ranked)}  # type: ignore[typeddict-item]


def ranks(ranked: Ranked) -> RanksAnswer:
    return {
        **_head(ranked),
        "entries": [_place(standing, ranked.page.total) for standing in ranked.page.standings],
        "not_on_board": [str(player_id) for player_id in ranked.missing],
        **_staleness(ranked),  # type: ignore[typeddict-item]
    }


def rank(ranked: Ranked) -> RankAnswer:
    (standing,) = ranked.page.standings
    return {**_head(ranked), "entry": _place(standing, ranked.page.total), **_staleness(ranked)}  # type: ignore[typeddict-item]


def _head(ranked: Ranked) -> BoardHead:
    page = ranked.page
    return {
        "board": ranked.contest.board.name,
        "season": season_name(ranked.contest),
        "total": page.total,
        "as_of": rfc3339_of_microseconds(page.as_of * 1000) if page.as_of else None,
    }


def _staleness(ranked: Ranked) -> dict[str, bool]:
    """Comes last in an answer, where `BoardPages` marks its older pages."""
    return {"stale": True} if ranked.is_stale else {}


def _standing(standing: Standing) -> StandingAnswer:
    card = standing.card
    return {
        "rank": standing.rank,
        "score": standing.score,
        "reached_at": rfc3339_of_microseconds(standing.reached_at),
        "player": {"id": str(standing.player_id), "name": card.name, "class": card.class_name, "level": card.level},
    }


def _place(standing: Standing, total: int) -> PlaceAnswer:
    return {**_standing(standing), "percentile": round(100 * standing.behind / total, 3)}
