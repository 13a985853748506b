"""Keeps boards right: checks against the databases, repairs, and rebuilding."""

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass

from gameserver.commands import boards
from gameserver.commands.boards import Leaderboards
from gameserver.commands.corrections import ChangedBy
from gameserver.rules.errors import BadInput, BoardUnavailable, FieldProblem
from gameserver.storage.boards.check import BoardCheck, CheckReport
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.lifecycle import BoardLifecycle
from gameserver.storage.operators.audit import Audit, AuditedChange
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
    """Compares `sample` random players of a board with the databases, and corrects what differs if `repair`.

    Raises BoardNotFound, SeasonNotFound, BadInput for a season that is over, BoardUnavailable, DatabaseUnavailable.
    """
    contest = _followed(board_repair, board, season)
    return contest, _counted(contest, await board_repair.checks.sample(contest, sample, repair=repair))


async def check_all(
    board_repair: BoardRepair, board: str, season: str, progress: Callable[[int], None], *, repair: bool
) -> tuple[Contest, CheckReport]:
    """Compares every player; `progress` is called with how many have been compared. Raises as `check` does."""
    contest = _followed(board_repair, board, season)
    return contest, _counted(contest, await board_repair.checks.full(contest, progress, repair=repair))


async def check_some(board_repair: BoardRepair) -> int:
    """Compares a few players of one random board and corrects what differs; how many differed."""
    contests = board_repair.leaderboards.seasons.calendar.contests(board_repair.leaderboards.now())
    if not contests:
        return 0
    contest = random.choice(contests)  # noqa: S311
    return _counted(contest, await board_repair.checks.sample(contest, SAMPLE, repair=True)).found


async def rebuild(board_repair: BoardRepair, by: ChangedBy, board: str, season: str) -> str:
    """Begins to rebuild a board beside the one that is served; the new generation's name.

    Sent again under its command id it begins nothing new. Raises BoardNotFound, SeasonNotFound, CommandMismatch,
    BadInput for a season that is over, BoardUnavailable, DatabaseUnavailable.
    """
    contest = _followed(board_repair, board, season)
    details, served = {"season": boards.season_name(contest)}, None
    with contextlib.suppress(BoardUnavailable):
        served = await board_repair.lifecycle.live(contest)
    before = {"generation": served}
    entry = AuditedChange(by.admin, "board_rebuild", board, by.reason, details, by.command_id, before)
    async with board_repair.audit.once(entry) as end:
        if not end.replayed:
            end.after = {"generation": await board_repair.lifecycle.rebuild(contest)}
    return str((end.after or {})["generation"])


async def is_live(board_repair: BoardRepair, board: str, season: str, generation: str) -> bool:
    """Whether this generation is the one that is served. Raises BoardUnavailable."""
    return await board_repair.lifecycle.live(boards.contest(board_repair.leaderboards, board, season)) == generation


def _followed(board_repair: BoardRepair, board: str, season: str) -> Contest:
    """A contest whose board is in Redis. Raises BoardNotFound, SeasonNotFound, BadInput for a season that is over."""
    contest = boards.contest(board_repair.leaderboards, board, season)
    if board_repair.leaderboards.seasons.calendar.is_over(contest.board, contest.season):
        problem = FieldProblem("season", "is over: its standings are stored and no longer change")
        raise BadInput("There is nothing to compare or to rebuild.", errors=[problem])
    return contest


def count_from_zero(board_repair: BoardRepair) -> None:
    """Shows the counters of all boards from the start: an alert sees no rise in what begins with a difference."""
    for board in board_repair.leaderboards.seasons.calendar.boards():
        BOARD_CHECKED.labels(board.name)
        BOARD_DIFFERENCES.labels(board.name)


def _counted(contest: Contest, report: CheckReport) -> CheckReport:
    BOARD_CHECKED.labels(contest.board.name).inc(report.compared)
    BOARD_DIFFERENCES.labels(contest.board.name).inc(report.found)
    return report
