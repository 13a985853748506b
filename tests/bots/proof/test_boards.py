"""A board is compared with the ranking in every respect: the players, their scores, their ranks and the order."""

from typing import Any

import pytest

from bots.proof.boards import differences, parse_board, parse_ranking, single_differences
from bots.wire.errors import BadAnswerError

EARLY, LATE = "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:01.000Z"


def entry(rank: int, player_id: str, score: int, reached_at: str = EARLY) -> dict[str, Any]:
    return {"rank": rank, "score": score, "reached_at": reached_at, "player": {"id": player_id}}


def ranking(**exp: int) -> list[tuple[str, int]]:
    return parse_ranking({"player": {"id": name.strip("_"), "exp": score}} for name, score in exp.items())


BOARD = [entry(1, "9", 30), entry(2, "3", 20, EARLY), entry(3, "2", 20, LATE)]
RANKING = ranking(_9=30, _2=20, _3=20)


def test_a_board_that_equals_the_ranking_passes() -> None:
    assert differences(parse_board(BOARD), RANKING) == []


def test_an_empty_board_equals_an_empty_ranking() -> None:
    assert differences([], []) == []


@pytest.mark.parametrize(
    ("board", "sentence"),
    [
        (BOARD[:2], "2 is missing on the board"),
        ([*BOARD, entry(4, "5", 1)], "5 is only on the board"),
        ([BOARD[0], entry(2, "3", 21), BOARD[2]], "3 has 21 on the board and 20 in the database"),
        ([*BOARD, entry(4, "2", 20, LATE)], "1 players are on the board twice"),
        ([BOARD[0], BOARD[1], entry(4, "2", 20, LATE)], "2 has rank 4, which isn't its place"),
        ([BOARD[0], entry(2, "2", 20, LATE), entry(3, "3", 20, EARLY)], "2 stands before 3"),
        ([entry(1, "3", 20), entry(2, "9", 30), BOARD[2]], "3 stands before 9"),
    ],
)
def test_each_difference_is_found(board: list[dict[str, Any]], sentence: str) -> None:
    assert sentence in differences(parse_board(board), RANKING)


def test_ids_decide_where_microseconds_are_shown() -> None:
    board = [entry(1, "3", 5, "2026-01-01T00:00:00.000001Z"), entry(2, "2", 5, "2026-01-01T00:00:00.000001Z")]
    assert differences(parse_board(board), ranking(_2=5, _3=5)) == ["3 stands before 2"]


def test_within_a_millisecond_either_order_is_right() -> None:
    board = [entry(1, "3", 5), entry(2, "2", 5)]
    assert differences(parse_board(board), ranking(_2=5, _3=5)) == []


def test_many_differences_are_counted_and_a_few_named() -> None:
    many = parse_ranking({"player": {"id": str(number), "exp": 0}} for number in range(100))
    sentences = differences([], many)
    assert len(sentences) == 11
    assert sentences[-1] == "and 90 more like the last"


@pytest.mark.parametrize("broken", [{}, {**BOARD[0], "reached_at": "soon"}, {**BOARD[0], "player": None}])
def test_an_entry_of_another_shape_is_named(broken: dict[str, Any]) -> None:
    with pytest.raises(BadAnswerError):
        parse_board([broken])


def test_banned_players_of_a_ranking_have_no_place() -> None:
    entries = [{"player": {"id": "1", "exp": 5, "banned": False}}, {"player": {"id": "2", "exp": 9, "banned": True}}]
    assert parse_ranking(entries) == [("1", 5)]


def test_a_place_is_the_same_on_the_board_and_when_it_is_asked_for() -> None:
    places = parse_board(BOARD)
    assert single_differences(places, places[::-1]) == []
    first = places[0]
    for wrong in ([], [first._replace(rank=2)], [first._replace(score=first.score + 1)]):
        (sentence,) = single_differences(places, [*wrong, *places[1:]])
        assert sentence.startswith(f"{first.player_id} has rank 1")
