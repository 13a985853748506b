"""A board is compared with the ranking in every respect: the players, their scores, their ranks and the order."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from bots.proof import boards
from bots.proof.boards import (
    PresentPlayers,
    Rankers,
    differences,
    parse_board,
    parse_ranking,
    prove_boards,
    single_differences,
)
from bots.proof.players import LedgerEntry
from bots.wire.answers import Answer, AnswerKind
from bots.wire.bodies import State
from bots.wire.channel import Channel
from bots.wire.errors import BadAnswerError
from bots.wire.player_client import Reply
from bots.wire.requests import Request

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


class Server:
    """Answers with this board and, one after the other, these rankings; the last one stays."""

    def __init__(
        self, board: list[dict[str, Any]], *rankings: Mapping[str, int], banned: str = "", pause: float = 0.0
    ) -> None:
        self.board, self.rankings, self.banned, self.pause = board, [*rankings], banned, pause
        self.asked = board

    async def send(self, request: Request, _channel: Channel) -> Reply:
        await asyncio.sleep(self.pause)
        path = request.path.partition("?")[0]
        body: dict[str, Any] = {"/v1/classes": {"classes": ["mage"]}, "/v1/boards": {"boards": ["exp"]}}.get(path, {})
        if path == "/admin/v1/rankings":
            ranking = self.rankings.pop(0) if len(self.rankings) > 1 else self.rankings[0]
            players = [{"id": name, "exp": exp, "banned": name == self.banned} for name, exp in ranking.items()]
            body = {"entries": [{"player": player} for player in players]}
        elif path.startswith("/v1/boards/exp"):
            body = {"entries": self.asked if path.endswith("/ranks") else self.board}
        return Reply(Answer(AnswerKind.OK, body=body))


def ledgers(**exp: int) -> dict[str, Sequence[LedgerEntry]]:
    """Of players who have so much EXP."""
    return {
        name.strip("_"): [LedgerEntry("c", "hunt", State(2, "mage", 1, 9, 9, value))] for name, value in exp.items()
    }


async def proved(
    server: Server, *, again: Mapping[str, Sequence[LedgerEntry]] | None = None, patience: float = 0.0, **exp: int
) -> list[str]:
    """The differences between the exp board and what these players have; `again` is what their ledgers say later."""
    later = ledgers(**exp) if again is None else again

    async def reread(players: Collection[str]) -> Mapping[str, Sequence[LedgerEntry]]:
        return {player: ledger for player, ledger in later.items() if player in players}

    present = PresentPlayers(ledgers(**exp), reread)
    (verdict,) = await prove_boards(server, Rankers(server, server), present, patience)
    return verdict.differences


ONE = [entry(1, "9", 30)]
BOTH = [*ONE, entry(2, "3", 20)]


async def test_who_is_there_has_to_be_in_the_ranking_with_its_exp() -> None:
    assert await proved(Server(BOTH, {"9": 30, "3": 20}), _9=30, _3=20) == []
    (missing,) = await proved(Server(ONE, {"9": 30}), _9=30, _3=20)
    assert "3 has 20 EXP by its ledger, and no place in the ranking" in missing
    (banned,) = await proved(Server(ONE, {"9": 30, "3": 20}, banned="3"), _9=30, _3=20)
    assert "3 has 20 EXP by its ledger, and no place" in banned
    (other,) = await proved(Server(ONE, {"9": 30}), _9=35)
    assert "9 has 35 EXP by its ledger, and 30 in the ranking" in other


async def test_who_is_gone_by_now_or_was_rewarded_meanwhile_is_read_again() -> None:
    assert await proved(Server(ONE, {"9": 30}), _9=30, _3=20, again={}) == []
    assert await proved(Server(ONE, {"9": 30}), _9=20, again=ledgers(_9=30)) == []


async def test_nothing_is_compared_of_whoever_plays_while_board_and_ranking_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boards, "RETRY_SECONDS", 0.01)
    assert await proved(Server(BOTH, {"9": 30, "3": 10}, {"9": 30, "3": 40})) == []
    playing = [{"9": 25, "3": exp} for exp in range(1000)]
    (steady,) = await proved(Server(BOTH, *playing), patience=0.1)
    assert "9 has 30 on the board and 25 in the database" in steady


async def test_a_difference_counts_once_it_has_lasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "RETRY_SECONDS", 0.01)
    wandering = [{"9": exp} for exp in range(40, 46) for _ in range(2)]
    assert await proved(Server(ONE, *wandering, {"9": 30}), patience=0.1) == []
    (lasting,) = await proved(Server(ONE, {"9": 30}, {"9": 40}), patience=0.1)
    assert "9 has 30 on the board and 40 in the database" in lasting


async def test_one_that_is_another_one_each_time_counts_at_the_end_if_nobody_plays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(boards, "RETRY_SECONDS", 0.01)
    wandering = [{"9": exp} for exp in range(40, 1000) for _ in range(2)]
    (last,) = await proved(Server(ONE, *wandering), patience=0.1)
    assert "9 has 30 on the board" in last


async def test_a_comparison_that_takes_longer_than_all_patience_is_made_again_and_counts() -> None:
    (found,) = await proved(Server(ONE, {"9": 40}, pause=0.05), patience=0.05)
    assert "9 has 30 on the board and 40 in the database" in found
    assert await proved(Server(ONE, {"9": 30}, pause=0.05), patience=0.05) == []
    assert await proved(Server(ONE, {"9": 40}, {"9": 40}, {"9": 30}, pause=0.05), patience=0.05) == []


async def test_a_history_accuses_nobody_of_what_one_look_shows_while_others_play() -> None:
    """Of a history each board is compared once: a board that lags a moment looks the same."""
    playing = ({"9": 25, "3": 10}, {"9": 25, "3": 40})
    assert await proved(Server(BOTH, *playing)) == []
    assert len(await proved(Server(BOTH, {"9": 25, "3": 40}))) == 2


async def test_a_board_of_another_shape_counts_however_long_a_comparison_takes() -> None:
    (found,) = await proved(Server([{}], {"9": 30}, pause=0.05), patience=0.05)
    assert "a board entry lacks a field" in found


@pytest.mark.parametrize(("is_moving", "faults"), [(True, 0), (False, 1)])
async def test_single_places_are_asked_for_only_while_nobody_plays(
    monkeypatch: pytest.MonkeyPatch, faults: int, *, is_moving: bool
) -> None:
    monkeypatch.setattr(boards, "RETRY_SECONDS", 0.01)
    server = Server(BOTH, *({"9": 30, "3": exp if is_moving else 20} for exp in range(1000)))
    server.asked = [entry(1, "9", 31), BOTH[1]]
    assert len(await proved(server, patience=0.1)) == faults


async def test_a_board_may_lag_behind_whoever_has_just_played_also_when_the_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second comparison ends late and sees nobody move, but the first one did; the third one finds both equal."""
    monkeypatch.setattr(boards, "RETRY_SECONDS", 0.01)
    server = Server(ONE, {"9": 30}, {"9": 40}, {"9": 35}, {"9": 35}, {"9": 30}, pause=0.12)
    assert await proved(server, patience=0.4) == []


@pytest.mark.parametrize(
    ("reached_at", "since", "faults"), [(EARLY, 0, 0), (LATE, 0, 1), (LATE, 1, 0)], ids=["then", "later", "unknown"]
)
async def test_a_place_was_reached_when_the_players_ledger_says(
    monkeypatch: pytest.MonkeyPatch, reached_at: str, since: int, faults: int
) -> None:
    """Who acts without a change of EXP stays before those who reached as much later; who plays isn't compared."""
    versions = ((1, 0, "2025-12-31T00:00:00.000Z"), (2, 30, EARLY), (3, 30, LATE))
    entries = [LedgerEntry("c", "rest", State(version, "mage", 1, 9, 9, exp), at=at) for version, exp, at in versions]
    ledger = {"9": entries[since:]}

    async def reread(_players: Collection[str]) -> Mapping[str, Sequence[LedgerEntry]]:
        return ledger

    monkeypatch.setattr(boards, "RETRY_SECONDS", 0.01)
    for rankings, found in (([{"9": 30}], faults), ([{"9": exp} for exp in range(1000)], 0)):
        server = Server([entry(1, "9", 30, reached_at)], *rankings)
        (verdict,) = await prove_boards(server, Rankers(server, server), PresentPlayers(ledger, reread), 0.1)
        assert len(verdict.differences) == found
