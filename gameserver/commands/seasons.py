"""The course of seasons: they begin, end on every database, are counted, and their rewards arrive, once.

Each step can be taken again, by any node, after whatever killed the one that took it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from gameserver.commands import boards
from gameserver.commands.backend import Backend
from gameserver.commands.postman import Postman
from gameserver.rules.boards import Board
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.rules.rulebook import MAIL
from gameserver.rules.seasons import Season
from gameserver.storage.batch import json_of
from gameserver.storage.board_layout import Contest
from gameserver.storage.ids import mail_id, reward_id
from gameserver.storage.mailbag import Letter
from gameserver.storage.season_book import Chapter, Prize

log = structlog.get_logger()

THE_SERVER = 0
"""Who sends rewards."""
AT_A_TIME = 100
DROP_SECONDS = (60, 3600)
"""When the boards of a season that is over go from Redis: once every node has heard that it is."""

CLOSE_SECONDS = 5
"""How far ahead the end of a season lies that is ended early: every node has learned of it by then."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would stand where if the season ended now, with what they would get."""

    chapter: Chapter
    entries: Sequence[tuple[int, int, int, str, dict[str, object] | None]]
    """Rank, score, player id, name, and reward."""


async def learn(backend: Backend) -> list[Chapter]:
    """Tells the node's calendar what the control database knows. Raises DatabaseUnavailable."""
    chapters = await backend.seasons.chapters()
    for board in backend.calendar.boards():
        own = [each for each in chapters if each.board == board.name]
        still_open = [each.season.start for each in own if each.state in ("running", "ended")]
        backend.calendar.learn(board.name, [each.season for each in own], still_open)
    return chapters


async def attend(backend: Backend, postman: Postman) -> int:
    """Begins the seasons whose time it is, and closes those that are over; how many steps that took."""
    chapters, now = await learn(backend), backend.now()
    new = [(board.name, season) for board in backend.calendar.boards() for season in _missing(backend, board, chapters)]
    for name, season in new:
        await backend.seasons.begin(name, season)
    if new:
        chapters = await learn(backend)
    due = [each for each in chapters if each.state != "closed" and each.season.end <= now.timestamp()]
    steps = len(new) + await _close_all(backend, postman, due)
    await _drop(backend, chapters, now)
    return steps


def _missing(backend: Backend, board: Board, chapters: Sequence[Chapter]) -> list[Season]:
    """The seasons that have begun unnoted, oldest first: the present one, and those that nobody could note."""
    now = backend.calendar.season(board, backend.now())
    begun = [each.season for each in chapters if each.board == board.name]
    if now is None or now.start in [each.start for each in begun]:
        return []
    found: list[Season] = []
    last = max(begun, default=Season(now.start, now.start))
    while last.end < now.start and len(found) < AT_A_TIME:
        last = backend.calendar.following(board, last)
        found.append(last)
    return found if last.end < now.start else [*found, now]


async def _close_all(backend: Backend, postman: Postman, due: Sequence[Chapter]) -> int:
    """Goes on with the seasons that are over, unless another node is at it; how many steps that took."""
    if not due:
        return 0
    async with backend.seasons.closing() as mine:
        return sum([await _close(backend, postman, each) for each in due]) if mine else 0


async def _close(backend: Backend, postman: Postman, chapter: Chapter) -> int:
    """Takes the steps that are left, as far as it can."""
    board = next((each for each in backend.calendar.boards() if each.name == chapter.board), None)
    if board is None:
        return 0
    steps, state, start = 0, chapter.state, chapter.season.start
    if state == "running":
        if not await backend.season_end.fence(board.name, chapter.season.end):
            return 0
        await backend.seasons.step(board.name, start, "running", "ended")
        steps, state = steps + 1, "ended"
    if state == "ended":
        players = await backend.seasons.store(
            board.name, start, backend.season_end.standings(board, start, banned=True)
        )
        log.info("a season is counted", board=board.name, season=start, players=players)
        steps, state = steps + 1, "counted"
    if state == "counted" and await _reward(backend, postman, board, chapter.season):
        await backend.seasons.step(board.name, start, "counted", "closed")
        steps += 1
    await learn(backend)
    return steps


async def _reward(backend: Backend, postman: Postman, board: Board, season: Season) -> bool:
    """Delivers rewards; whether all have arrived. Each is a letter whose id says whose it is, so it arrives once."""
    while prizes := await backend.seasons.prizes(board.name, season.start, AT_A_TIME):
        ends = await postman.deliver([_letter(board, season, each) for each in prizes])
        settled = [(each.position, end.refused or "arrived") for each, end in zip(prizes, ends, strict=True) if end]
        await backend.seasons.settle(board.name, season.start, settled)
        if len(settled) < len(prizes):
            return False
    return True


def _letter(board: Board, season: Season, prize: Prize) -> Letter:
    told = {
        "sender": str(THE_SERVER),
        "board": board.name,
        "season": boards.season_name(Contest(board, season.start)),
        "rank": prize.rank,
        **prize.reward,
    }
    at = datetime.fromtimestamp(season.end, UTC)
    command = reward_id(board.name, season.start, prize.player_id, season.end * 1000)
    mail = mail_id(THE_SERVER, command, 0)
    return Letter(THE_SERVER, command, 0, f"{MAIL}rewarded", prize.player_id, json_of(told), at, mail)


async def _drop(backend: Backend, chapters: Sequence[Chapter], now: datetime) -> None:
    least, most = DROP_SECONDS
    for each in chapters:
        age = (now - each.changed_at).total_seconds()
        if each.state == "closed" and least < age < most and (board := _board(backend, each.board)) is not None:
            await backend.checks.drop(Contest(board, each.season.start))


def _board(backend: Backend, name: str) -> Board | None:
    return next((each for each in backend.calendar.boards() if each.name == name), None)


async def listed(backend: Backend) -> list[Chapter]:
    """All seasons that have begun. Raises DatabaseUnavailable."""
    return await learn(backend)


async def close_now(backend: Backend, admin: str, name: str, reason: str) -> Chapter:
    """Makes the running season of a board end in CLOSE_SECONDS instead of when it was to; the nodes that run close it.

    Raises BoardNotFound, BadInput, DatabaseUnavailable.
    """
    chapter = await _running(backend, name)
    await backend.audit.note(admin, "season_close", name, reason, {"season": chapter.season.start})
    end = int(backend.now().timestamp()) + CLOSE_SECONDS
    await backend.seasons.end_early(name, chapter.season.start, max(end, chapter.season.start + 1))
    return chapter


async def preview(backend: Backend, name: str, limit: int) -> Preview:
    """The standings as the databases have them, with the rewards.

    Raises BoardNotFound, BadInput, DatabaseUnavailable.
    """
    chapter = await _running(backend, name)
    board = backend.calendar.board(name)
    parts = backend.season_end.standings(board, chapter.season.start, limit, banned=False)
    found = [row async for part in parts for row in part]
    rewards = {each: reward for reward in board.rewards for each in range(reward.first, reward.last + 1)}
    entries = [
        (row[3], row[5], row[4], row[7], {"exp": rewards[row[3]].exp, "text": rewards[row[3]].text})
        if row[3] in rewards
        else (row[3], row[5], row[4], row[7], None)
        for row in found
    ]
    return Preview(chapter, entries)


async def _running(backend: Backend, name: str) -> Chapter:
    backend.calendar.board(name)
    found = [each for each in await learn(backend) if each.board == name and each.state == "running"]
    if not found:
        problem = FieldProblem("board", "has no season that is running")
        raise BadInput("There is no season to close or preview.", errors=[problem])
    return found[-1]
