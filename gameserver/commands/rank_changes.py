"""The ranks that a change of a player would change, on the boards as they are now.

Law: looking changes nothing. Of boards that can't be read none are told. A player that comes back to a board is
placed behind those of the same score, though it may have reached it earlier.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from gameserver.commands.boards import Leaderboards
from gameserver.rules.boards import Board
from gameserver.rules.corrections import Correction
from gameserver.rules.errors import BoardUnavailable
from gameserver.rules.player import Player
from gameserver.storage.boards.layout import Contest
from gameserver.storage.ledger.past import Stored


@dataclass(frozen=True, slots=True)
class RankChange:
    """A player's rank on a board, None while it isn't on it, before and after."""

    contest: Contest
    before: int | None
    after: int | None


async def of_correction(leaderboards: Leaderboards, correction: Correction) -> list[RankChange]:
    """The ranks that a correction changes."""
    scores = {(change.board, change.season): change for change in correction.scores}
    before, after, changes = correction.before, correction.after, []
    for contest in _contests(leaderboards):
        board = contest.board
        if board.stores_scores:
            change = scores.get((board.name, contest.season))
            if change is None:
                continue
            score = change.after
        else:
            score = _score(board, after)
            if score == _score(board, before):
                continue
        with contextlib.suppress(BoardUnavailable):
            changes.append(await _change(leaderboards, contest, before.id, score))
    return changes


async def of_leaving(leaderboards: Leaderboards, player_id: int) -> list[RankChange]:
    """The ranks of a player that leaves every board."""
    changes = []
    for contest in _contests(leaderboards):
        with contextlib.suppress(BoardUnavailable):
            changes.append(await _change(leaderboards, contest, player_id, None))
    return [change for change in changes if change.before is not None]


async def of_returning(leaderboards: Leaderboards, player: Player, scores: Stored) -> list[RankChange]:
    """The ranks of a player that comes back to the boards, with the scores that are stored of it."""
    changes = []
    for contest in _contests(leaderboards):
        board = contest.board
        score = scores.get((board.name, contest.season)) if board.stores_scores else _score(board, player)
        if score is None:
            continue
        with contextlib.suppress(BoardUnavailable):
            changes.append(await _change(leaderboards, contest, player.id, score))
    return changes


def _contests(leaderboards: Leaderboards) -> Iterator[Contest]:
    """Every board with the season that runs."""
    calendar, now = leaderboards.seasons.calendar, leaderboards.now()
    return (Contest(board, calendar.number(board, now)) for board in calendar.boards())


def _score(board: Board, player: Player) -> int | None:
    """The player's score on a board that follows its present state."""
    if not board.admits(player.class_name, player.level):
        return None
    return player.level if board.score == "level" else player.exp


async def _change(leaderboards: Leaderboards, contest: Contest, player_id: int, score: int | None) -> RankChange:
    page = await leaderboards.standings.ranks(contest, [player_id])
    before = page.standings[0].rank if page.standings else None
    after = None if score is None else await leaderboards.standings.would_be(contest, player_id, score)
    return RankChange(contest, before, after)
