"""What keeps boards true: checks against the databases, and building them anew."""

import random
from collections.abc import Callable

from gameserver.commands import boards
from gameserver.commands.backend import Backend
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.storage.boards.check import Verdict
from gameserver.storage.boards.layout import Contest
from gameserver.telemetry import BOARD_CHECKED, BOARD_DIFFERENCES

SAMPLE = 200


async def check(backend: Backend, board: str, season: str, sample: int, *, repair: bool) -> tuple[Contest, Verdict]:
    """Compares some places of a board with the databases, and puts right what differs if it is to `repair`.

    Raises BoardNotFound, SeasonNotFound, BadInput for a season that is over, BoardUnavailable, DatabaseUnavailable.
    """
    contest = _followed(backend, board, season)
    return contest, _counted(contest, await backend.checks.sample(contest, sample, repair=repair))


async def check_all(
    backend: Backend, board: str, season: str, progress: Callable[[int], None], *, repair: bool
) -> tuple[Contest, Verdict]:
    """Compares every place; `progress` hears how many players have been compared. Raises what `check` does."""
    contest = _followed(backend, board, season)
    return contest, _counted(contest, await backend.checks.full(contest, progress, repair=repair))


async def check_some(backend: Backend) -> int:
    """Compares a few places of one board, chosen at random, and puts right what differs; how many that were."""
    contests = backend.calendar.contests(backend.now())
    if not contests:
        return 0
    contest = random.choice(contests)  # noqa: S311
    return _counted(contest, await backend.checks.sample(contest, SAMPLE, repair=True)).found


async def rebuild(backend: Backend, admin: str, board: str, season: str, reason: str) -> str:
    """Begins to build a board anew beside the one that is served; the new generation's name.

    Raises BoardNotFound, SeasonNotFound, BadInput for a season that is over, BoardUnavailable, DatabaseUnavailable.
    """
    contest = _followed(backend, board, season)
    await backend.audit.note(admin, "board_rebuild", board, reason, {"season": boards.season_name(contest)})
    return await backend.checks.rebuild(contest)


async def is_live(backend: Backend, board: str, season: str, generation: str) -> bool:
    """Whether a generation is what is served. Raises BoardUnavailable."""
    return await backend.checks.live(boards.contest(backend, board, season)) == generation


def _followed(backend: Backend, board: str, season: str) -> Contest:
    """A contest that lies in Redis. Raises BoardNotFound, SeasonNotFound, and BadInput for a season that is over."""
    contest = boards.contest(backend, board, season)
    if backend.calendar.is_over(contest.board, contest.season):
        problem = FieldProblem("season", "is over: its standings are stored, and follow nothing any more")
        raise BadInput("There is nothing to compare or to build.", errors=[problem])
    return contest


def _counted(contest: Contest, verdict: Verdict) -> Verdict:
    BOARD_CHECKED.labels(contest.board.name).inc(verdict.compared)
    BOARD_DIFFERENCES.labels(contest.board.name).inc(verdict.found)
    return verdict
