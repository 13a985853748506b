"""The pacing of actions: each player by itself, forgotten when it makes no difference, in bounded memory."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.commands import pacing
from gameserver.commands.pacing import ActionPacing
from gameserver.rules.errors import RateLimited
from gameserver.rules.pacing import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 5_000

    def __call__(self) -> int:
        return self.now


def admits(paced: ActionPacing, player_id: int, weight: int = 1) -> bool:
    try:
        paced.spend(player_id, weight)
    except RateLimited:
        return False
    return True


STEPS = st.lists(st.tuples(st.integers(0, 3), st.one_of(st.just(0), st.integers(0, 30), st.integers(0, 900))))


@given(st.integers(1, 50), st.integers(1, 8), STEPS)
def test_each_player_is_held_to_the_law_as_if_he_were_alone_and_never_forgotten(
    interval: int, burst: int, steps: Sequence[tuple[int, int]]
) -> None:
    pace, clock = Pace(interval, burst), Clock()
    paced, rests = ActionPacing(pace, clock), dict[int, int]()
    for player_id, pause in steps:
        clock.now += pause
        expected = pace.wait(rests.get(player_id, 0), clock.now) <= 0
        if expected:
            rests[player_id] = pace.spent(rests.get(player_id, 0), clock.now)
        assert admits(paced, player_id) == expected


@given(st.integers(1, 50), st.integers(1, 8), st.lists(st.tuples(st.integers(1, 10), st.integers(0, 300))))
def test_one_of_a_weight_counts_as_so_many_all_or_none_and_never_more_than_the_burst(
    interval: int, burst: int, steps: Sequence[tuple[int, int]]
) -> None:
    pace, clock = Pace(interval, burst), Clock()
    paced, rest = ActionPacing(pace, clock), 0
    for weight, pause in steps:
        clock.now += pause
        after: int | None = rest
        for _ in range(min(weight, burst)):
            after = None if after is None or pace.wait(after, clock.now) > 0 else pace.spent(after, clock.now)
        assert admits(paced, 7, weight) == (after is not None)
        rest = rest if after is None else after


def test_whoever_is_denied_a_weight_is_told_when_all_of_it_is_admitted() -> None:
    clock = Clock()
    paced = ActionPacing(Pace(2_000_000_000, 3), clock)
    paced.spend(7, 2)
    with pytest.raises(RateLimited) as denied:
        paced.spend(7, 3)
    clock.now += int((denied.value.retry_after or 0) * 1e9) - 1
    assert not admits(paced, 7, 3)
    clock.now += 1
    assert admits(paced, 7, 3)


def test_players_at_rest_are_let_go() -> None:
    pace, clock = Pace(1_000, 10), Clock()
    paced = ActionPacing(pace, clock)
    for player_id in range(100):
        paced.spend(player_id)
    for _ in range(2):
        clock.now += pace.recovery + 1
        paced.spend(7)
    assert len(paced) == 2, "the one who plays, in both tables"


def test_however_many_play_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "LARGEST_TABLE", 50)
    paced = ActionPacing(Pace(1_000, 1), Clock())
    for player_id in range(1_000):
        paced.spend(player_id)
        assert not admits(paced, player_id)
        assert len(paced) <= 100


def test_a_denial_tells_how_long_to_wait() -> None:
    clock = Clock()
    paced = ActionPacing(Pace(2_000_000_000, 3), clock)
    assert [admits(paced, 1) for _ in range(5)] == [True, True, True, False, False]
    clock.now += 500_000_000
    with pytest.raises(RateLimited) as caught:
        paced.spend(1)
    assert caught.value.retry_after == 1.5
    clock.now += 1_500_000_000
    assert [admits(paced, 1) for _ in range(2)] == [True, False]
