"""Rows for apply.lua: what is packed for many boards together is what each of them is given alone."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.boards import Board
from gameserver.rules.player import Player
from gameserver.storage.boards import ranked as ranking
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.ranked import RankedPlayer, Score, pack, pack_changed

START = datetime(2026, 1, 1, tzinfo=UTC)
POINTS = Contest(Board("dragons", "points:dragons"))
CONTESTS = (
    Contest(Board("exp", "exp")),
    Contest(Board("mage", "exp", "mage")),
    Contest(Board("last", "exp", order="asc")),
    Contest(Board("levels", "level")),
    POINTS,
    Contest(Board("weekly", "points:dragons"), season=7),
)
STORED: tuple[Mapping[tuple[str, int], Score | None], ...] = (
    {},
    {("dragons", 0): Score(3, START)},
    {("dragons", 0): None, ("weekly", 7): Score(1, START)},
)
players = st.builds(
    lambda number, name, level, stored, gone, moved: RankedPlayer(
        Player(number, "Ann", name, level, 1, 10 * level, 2, START, START + timedelta(microseconds=number)),
        START, gone, stored, moved=moved,
    ),
    st.integers(1, 9), st.sampled_from(["mage", "priest"]), st.integers(1, 3), st.sampled_from(STORED),
    st.booleans(), st.booleans(),
)  # fmt: skip


@given(st.lists(players, max_size=6))
def test_rows_for_many_boards_are_those_of_each_board_alone(changed: list[RankedPlayer]) -> None:
    alone = [pack(contest, changed, all_absent=False) for contest in CONTESTS]
    assert pack_changed(CONTESTS, changed) == alone


def test_boards_that_rank_by_the_same_share_a_players_row(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = 0

    def counted(*arguments: object, **options: object) -> bytes:
        nonlocal packed
        packed += 1
        return b"a row"

    monkeypatch.setattr(ranking, "pack_row", counted)
    mage = RankedPlayer(Player(1, "Ann", "mage", 1, 1, 5, 2, START, START), START, False, {}, moved=False)
    assert pack_changed(CONTESTS[:2], [mage]) == [b"a row", b"a row"]
    assert packed == 1
