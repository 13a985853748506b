"""Boards of points are compared with the ledgers: what adds up passes, each kind of fault is found."""

from datetime import UTC, datetime

import pytest

from bots.proof.boards import BoardPlace
from bots.proof.invariants import POINTS
from bots.proof.players import LedgerEntry
from bots.proof.points import PointsPage, compare_points, parse_points_boards
from bots.proof.rewards import RewardTier
from bots.proof.seasons import PointsBoard
from bots.wire.bodies import State

START, END, NEXT = "2026-11-28T10:00:00.000Z", "2026-11-28T10:01:00.000Z", "2026-11-28T10:02:00.000Z"
BOARD = PointsBoard(
    "weekly", "dragons", END, NEXT, (RewardTier(1, 1, {"exp": 5, "text": "first"}), RewardTier(2, 3, {"exp": 1}))
)
LISTED = {
    "boards": [
        {"name": "exp", "score": "exp", "season": "all-time"},
        {"name": "mages", "score": "points:dragons", "operator": "sum", "class": "mage", "season": "all-time"},
        {"name": "best", "score": "points:dragons", "operator": "best", "season": "all-time"},
        {
            "name": "weekly",
            "score": "points:dragons",
            "operator": "sum",
            "season": {"starts_at": END, "ends_at": NEXT},
            "rewards": [{"first": 1, "last": 1, "exp": 5, "text": "first"}, {"first": 2, "last": 3, "exp": 1}],
        },
    ]
}


def scored(version: int, points: int, at: str) -> LedgerEntry:
    return LedgerEntry(f"c{version}", "hunt", _state(version), points={"dragons": points}, at=at)


def _state(version: int) -> State:
    return State(version, "mage", 1, 5, 5, 5)


def page(*scores: tuple[str, int]) -> PointsPage:
    reached = datetime(2026, 11, 28, tzinfo=UTC)
    return PointsPage(
        START, [BoardPlace(rank, player, score, reached, 0) for rank, (player, score) in enumerate(scores, 1)]
    )


def test_only_boards_that_add_all_points_up_are_compared() -> None:
    assert parse_points_boards(LISTED) == [BOARD]


@pytest.mark.parametrize(("shown", "faults"), [(8, 0), (7, 1), (9, 1), (0, 1)])
def test_a_score_is_the_sum_of_the_season_s_points(shown: int, faults: int) -> None:
    ledger = [
        scored(1, 100, "2026-11-28T09:59:59.999Z"),
        scored(2, 3, START),
        scored(3, 5, "2026-11-28T10:00:59.999Z"),
        scored(4, 100, END),
    ]
    verdict = compare_points(BOARD, page(("7", shown)) if shown else page(), {"7": ledger}, START, END)
    assert (len(verdict.faults), verdict.checked[POINTS]) == (faults, 1)


def test_who_scored_nothing_has_no_place() -> None:
    assert compare_points(BOARD, page(("7", 3)), {"7": []}, START, END).faults
    assert compare_points(BOARD, page(("7", 0)), {"7": []}, START, END).faults
    assert not compare_points(BOARD, page(("7", 0)), {"7": [scored(2, 0, START)]}, START, END).faults


def test_players_of_others_are_left_alone() -> None:
    assert not compare_points(BOARD, page(("8", 3)), {"7": []}, START, END).faults
