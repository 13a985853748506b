"""The rulebook holds every action to the law of players, built-in or not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.dice import Dice
from gameserver.rules.errors import BadInput, ClassMissing, Refused, RuleBroken, UnknownAction, UnknownClass
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Moment, Outcome, Player
from gameserver.rules.replay import Record
from gameserver.rules.rulebook import Rulebook
from tests.rules.samples import LATER, RULEBOOK, START, mapping, play, players, records, rulebook_with, sample_player

FAULTY = [
    "overheal", "underrun", "halve", "forget", "rebaptise", "impersonate", "grow_younger", "invent_class", "lose_class",
    "crash", "write_to_player", "return_nothing", "return_list_of_events", "return_untyped_event",
    "grant_gold", "grant_less", "grant_half", "grant_too_much", "grant_nonsense", "grant_list", "claim_items",
]  # fmt: skip
RIGHT = ["pray", "refuse", "bury", "ascend", "idle"]
STUDIO = rulebook_with(**{name: f"tests.rules.studio:{name}" for name in FAULTY + RIGHT})


CHANGEABLE = ("class_name", "level", "hp", "exp", "version", "exp_reached_at", "data")


def _attempt(player: Player, record: Record) -> Outcome | Refused:
    args = RULEBOOK.arguments(record.action, record.args)
    try:
        return RULEBOOK.apply(record.action, player, args, Moment(record.at, Dice(record.seed), RULEBOOK.game))
    except Refused as refusal:
        return refusal


@given(players(), records())
def test_the_law_of_players_holds_through_any_actions(player, attempts):
    game = RULEBOOK.game
    for attempt in attempts:
        before, outcome = player, _attempt(player, attempt)
        if isinstance(outcome, Refused):
            assert (outcome.code == "player_is_down") == (before.hp == 0)
            continue
        player = outcome.player
        assert 0 <= player.hp <= game.max_hp(player.class_name, player.level)
        assert before.exp <= player.exp <= EXP_CAP
        assert player.level == game.level_of(player.exp)
        assert player.version == before.version + 1
        assert player.exp_reached_at == (before.exp_reached_at if player.exp == before.exp else attempt.at)
        assert before.hp > 0 or attempt.action == "revive"
        assert before._replace(**{field: getattr(player, field) for field in CHANGEABLE}) == player
        assert all(type(event["type"]) is str for event in outcome.events)


@given(players().filter(lambda player: player.hp > 0), st.sampled_from(FAULTY))
def test_a_faulty_action_ends_in_a_broken_rule_and_leaves_the_player_alone(player, action):
    copy = player._replace()
    with pytest.raises(RuleBroken) as caught:
        play(player, action, rulebook=STUDIO)
    assert caught.value.fault
    assert player == copy


def test_the_text_of_a_crash_reaches_the_log_but_not_the_client():
    with pytest.raises(RuleBroken) as caught:
        play(sample_player(), "crash", rulebook=STUDIO)
    assert "holy_symbol" in caught.value.fault
    assert "holy_symbol" not in caught.value.detail


def test_a_studio_action_may_refuse():
    with pytest.raises(Refused) as caught:
        play(sample_player(), "refuse", rulebook=STUDIO)
    assert caught.value.code == "not_holy"


def test_a_studio_action_needs_no_more_than_a_function_and_a_line_of_the_table():
    outcome = play(sample_player(hp=50), "pray", {"words": "please"}, rulebook=STUDIO)
    (event,) = outcome.events
    assert event == {"type": "prayed", "hp": outcome.player.hp - 50}
    assert outcome.player.version == 2


def test_an_action_cannot_set_level_version_or_times():
    player = sample_player(exp=100)
    assert play(player, "idle", rulebook=STUDIO).player == player._replace(version=2)


def test_losing_the_last_hp_is_an_event():
    outcome = play(sample_player(), "bury", rulebook=STUDIO)
    assert outcome.player.hp == 0
    assert outcome.events == ({"type": "went_down"},)


def test_exp_beyond_the_cap_becomes_the_cap():
    outcome = play(sample_player(), "ascend", rulebook=STUDIO)
    assert (outcome.player.exp, outcome.player.level) == (EXP_CAP, RULEBOOK.game.levels.max_level)
    assert outcome.player.exp_reached_at == LATER
    assert outcome.events == ({"type": "level_up", "level": RULEBOOK.game.levels.max_level},)


def test_a_player_at_the_cap_keeps_the_time_at_which_it_reached_it():
    assert play(sample_player(exp=EXP_CAP), "ascend", rulebook=STUDIO).player.exp_reached_at == START


@pytest.mark.parametrize("action", ["hunt", "rest", "heal", "change_class", "pray", "crash"])
def test_a_player_that_is_down_is_refused_every_action_but_revive(action):
    args = {"hunt": {"foe": "slime"}, "change_class": {"class": "mage"}}.get(action, {})
    with pytest.raises(Refused) as caught:
        play(sample_player(hp=0, exp=10_000), action, args, rulebook=STUDIO)
    assert caught.value.code == "player_is_down"


def test_an_unknown_action_is_refused_with_the_known_ones():
    moment = Moment(LATER, Dice(1), RULEBOOK.game)
    for attempt in (
        lambda: RULEBOOK.arguments("dance", {}),
        lambda: RULEBOOK.apply("dance", sample_player(), RULEBOOK.arguments("rest", {}), moment),
    ):
        with pytest.raises(UnknownAction) as caught:
            attempt()
        (problem,) = caught.value.errors
        assert problem.field == "action"
        assert "hunt, rest, heal, revive, change_class" in problem.problem


def test_the_schemas_of_all_actions_name_their_arguments():
    schemas = RULEBOOK.actions()
    assert list(schemas) == ["hunt", "rest", "heal", "revive", "change_class", "use", "heal_other", "duel"]
    assert schemas["hunt"]["required"] == ["foe"]
    assert schemas["change_class"]["required"] == ["class"]
    assert all(schema["additionalProperties"] is False for schema in schemas.values())


def test_a_player_with_more_than_a_new_curve_allows_is_fitted_to_it():
    smaller = mapping()
    smaller["levels"]["base"] = 1_000
    smaller["classes"]["warrior"]["base_hp"] = 40
    player = sample_player(hp=150, exp=500)
    outcome = play(player, "hunt", {"foe": "slime"}, rulebook=Rulebook.parse(smaller))
    assert player.level == 5
    assert outcome.player.level == 1
    assert outcome.player.hp == 40 - outcome.events[0]["damage"]


def test_a_player_of_a_class_that_the_game_dropped_fails_alone_and_clearly():
    without = mapping()
    del without["classes"]["mage"], without["boards"]["mage"]
    with pytest.raises(ClassMissing, match="no class 'mage'"):
        play(sample_player("mage"), "heal", rulebook=Rulebook.parse(without))


def test_a_new_player_is_of_version_one_and_at_full_hp():
    player = RULEBOOK.new_player(9, "Ann", "mage", START)
    assert (player.hp, player.exp, player.level, player.version) == (65, 0, 1, 1)
    assert (player.created_at, player.exp_reached_at) == (START, START)


@given(players())
def test_a_player_may_be_created_with_any_legal_hp_and_exp(player):
    again = RULEBOOK.new_player(player.id, player.name, player.class_name, START, player.hp, player.exp)
    assert again == player


@pytest.mark.parametrize(
    ("hp", "exp", "field"),
    [(-1, 0, "hp"), (111, 0, "hp"), (2**70, 0, "hp"), (None, -1, "exp"), (None, EXP_CAP + 1, "exp")],
)
def test_a_player_cannot_be_created_with_hp_or_exp_out_of_range(hp, exp, field):
    with pytest.raises(BadInput) as caught:
        sample_player(hp=hp, exp=exp)
    assert [fault.field for fault in caught.value.errors] == [field]


def test_a_player_cannot_be_made_of_an_unknown_class():
    with pytest.raises(UnknownClass) as caught:
        sample_player("druid")
    assert caught.value.errors[0].field == "class"
    assert "warrior, fighter, mage, priest" in caught.value.errors[0].problem
