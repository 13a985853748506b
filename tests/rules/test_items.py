"""What actions take and grant: declared before they run, counted after, and reported in events."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.errors import BadInput, Refused, RuleBroken, UnknownItem
from gameserver.rules.items import Items
from tests.rules.samples import RULEBOOK, mapping, play, rulebook_with, sample_player

STUDIO = rulebook_with(**{name: f"tests.rules.studio:{name}" for name in ("brew", "offer", "offer_nowhere")})


def takes(action: str, raw: dict[str, Any]) -> Items:
    return STUDIO.takes(action, STUDIO.arguments(action, raw))


def test_what_an_action_takes_follows_from_its_arguments_alone() -> None:
    assert takes("use", {"item": "potion"}) == (("potion", 1),)
    assert takes("use", {"item": "herb", "count": 3}) == (("herb", 3),)
    assert takes("brew", {"whom": {}}) == (("herb", 2),)
    assert takes("hunt", {"foe": "slime"}) == ()


def test_the_last_events_report_what_an_action_takes_and_grants_each_item_once() -> None:
    outcome = play(sample_player(), "brew", {"whom": {}}, rulebook=STUDIO)
    assert outcome.grants == (("herb", 1), ("potion", 3))
    assert outcome.events == (
        {"type": "brewed"},
        {"type": "items_taken", "items": {"herb": 2}},
        {"type": "items_granted", "items": {"herb": 1, "potion": 3}},
    )


@pytest.mark.parametrize(
    ("action", "raw"),
    [("offer", {"words": "gold"}), ("offer", {"words": "herb", "times": 0}), ("offer", {"words": "herb", "times": -1}),
     ("offer_nowhere", {})],
)  # fmt: skip
def test_an_action_that_takes_impossible_counts_is_a_broken_rule(action: str, raw: dict[str, Any]) -> None:
    with pytest.raises(RuleBroken):
        takes(action, {"whom": {}, **raw})


def test_using_items_heals_for_each_of_them_and_never_above_max_hp() -> None:
    heal = RULEBOOK.game.items["potion"].heal
    assert heal is not None
    one = play(sample_player(hp=10), "use", {"item": "potion"})
    assert (one.player.hp, one.events[0]["hp"]) == (10 + heal, heal)
    many = play(sample_player(hp=10), "use", {"item": "potion", "count": 2**53 - 1})
    assert many.player.hp == RULEBOOK.game.max_hp("warrior", 1)
    assert many.events[1] == {"type": "items_taken", "items": {"potion": 2**53 - 1}}


@pytest.mark.parametrize(
    ("hp", "item", "code"), [(None, "potion", "full_hp"), (10, "herb", "not_usable"), (0, "potion", "player_is_down")]
)
def test_what_cannot_be_used_is_refused(hp: int | None, item: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        play(sample_player(hp=hp), "use", {"item": item})
    assert caught.value.code == code


def test_an_unknown_item_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownItem) as caught:
        RULEBOOK.arguments("use", {"item": "sword"})
    assert [fault.field for fault in caught.value.errors] == ["args.item"]
    assert "potion, herb" in caught.value.errors[0].problem


@pytest.mark.parametrize("count", [0, -1, 2**53, 2**63, 2**70, 1.0, True, "1"])
def test_an_invalid_count_is_bad_input(count: object) -> None:
    with pytest.raises(BadInput):
        RULEBOOK.arguments("use", {"item": "potion", "count": count})


@given(st.integers(0, 2**63 - 1))
def test_drops_come_with_a_win_and_change_nothing_else_of_a_hunt(seed: int) -> None:
    without = mapping()
    del without["foes"]["wolf"]["drops"]
    bare = type(RULEBOOK).parse(without)
    player = sample_player(exp=1_000)
    one = play(player, "hunt", {"foe": "wolf"}, seed)
    other = play(player, "hunt", {"foe": "wolf"}, seed, bare)
    assert (one.player, one.events[0]) == (other.player, other.events[0])
    assert one.events[0]["won"] or not one.grants
    assert set(dict(one.grants)) <= {"herb", "potion"}


def test_a_wolf_drops_about_as_often_as_the_game_says() -> None:
    won = [outcome for seed in range(2_000)
           if (outcome := play(sample_player(exp=1_000), "hunt", {"foe": "wolf"}, seed)).events[0]["won"]]  # fmt: skip
    for drop in RULEBOOK.game.foes["wolf"].drops:
        share = sum(dict(outcome.grants).get(drop.item, 0) > 0 for outcome in won) / len(won)
        assert abs(share - drop.chance / 100) < 0.05
