"""What keeps boards true: checks against the databases, and building them anew."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from gameserver.commands import boards
from gameserver.commands.boards import Leaderboards
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.storage.boards.check import BoardCheck, CheckReport
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.lifecycle import BoardLifecycle
from gameserver.storage.operators.audit import Audit
from gameserver.telemetry import BOARD_CHECKED, BOARD_DIFFERENCES

SAMPLE = 200


@dataclass(frozen=True, slots=True)
class BoardRepair:
    """What checking and rebuilding boards needs; one per node."""

    leaderboards: Leaderboards
    checks: BoardCheck
    lifecycle: BoardLifecycle
    audit: Audit


async def check(
    board_repair: BoardRepair, board: str, season: str, sample: int, *, repair: bool
) -> tuple[Contest, CheckReport]:
    """Compares some places of a board with the databases, and puts right what differs if it is to `repair`.

    Raises BoardNotFound, SeasonNotFound, BadInput for a season that is over, BoardUnavailable, DatabaseUnavailable.
    """
    contest = _followed(board_repair, board, season)
    return contest, _counted(contest, await board_repair.checks.sample(contest, sample, repair=repair))


async def check_all(
    board_repair: BoardRepair, board: str, season: str, progress: Callable[[int], None], *, repair: bool
) -> tuple[Contest, CheckReport]:
    """Compares every place; `progress` hears how many players have been compared. Raises what `check` does."""
    contest = _followed(board_repair, board, season)
    return contest, _counted(contest, await board_repair.checks.full(contest, progress, repair=repair))


async def check_some(board_repair: BoardRepair) -> int:
    """Compares a few places of one board, chosen at random, and puts right what differs; how many that were."""
    contests = board_repair.leaderboards.seasons.calendar.contests(board_repair.leaderboards.now())
    if not contests:
        return 0
    contest = random.choice(contests)  # noqa: S311
    return _counted(contest, await board_repair.checks.sample(contest, SAMPLE, repair=True)).found


async def rebuild(board_repair: BoardRepair, admin: str, board: str, season: str, reason: str) -> str:
    """Begins to build a board anew beside the one that is served; the new generation's name.

    Raises BoardNotFound, SeasonNotFound, BadInput for a season that is over, BoardUnavailable, DatabaseUnavailable.
    """
    contest = _followed(board_repair, board, season)
    await board_repair.audit.note(admin, "board_rebuild", board, reason, {"season": boards.season_name(contest)})
    return await board_repair.lifecycle.rebuild(contest)


async def is_live(board_repair: BoardRepair, board: str, season: str, generation: str) -> bool:
    """Whether a generation is what is served. Raises BoardUnavailable."""
    return await board_repair.lifecycle.live(boards.contest(board_repair.leaderboards, board, season)) == generation


def _followed(board_repair: BoardRepair, board: str, season: str) -> Contest:
    """A contest that lies in Redis. Raises BoardNotFound, SeasonNotFound, and BadInput for a season that is over."""
    contest = boards.contest(board_repair.leaderboards, board, season)
    if board_repair.leaderboards.seasons.calendar.is_over(contest.board, contest.season):
        problem = FieldProblem("season", "is over: its standings are stored, and follow nothing any more")
        raise BadInput("There is nothing to compare or to build.", errors=[problem])
    return contest


def _counted(contest: Contest, verdict: CheckReport) -> CheckReport:
    BOARD_CHECKED.labels(contest.board.name).inc(verdict.compared)
    BOARD_DIFFERENCES.labels(contest.board.name).inc(verdict.found)
    return verdict
