"""The course of a player under other rules: it differs where they do, and nowhere else."""

from dataclasses import replace
from typing import Any

from hypothesis import given

from gameserver.rules.corrections import CORRECT
from gameserver.rules.dice import Dice
from gameserver.rules.errors import Refused
from gameserver.rules.player import Moment, Player
from gameserver.rules.replay import Record
from gameserver.rules.rulebook import Rulebook
from gameserver.rules.what_if import AlteredCourse, Effects, RecordedStep
from gameserver.rules.what_if_tally import WhatIfTally
from tests.rules.samples import LATER, RULEBOOK, mapping, players, records, sample_player


def shown(player: Player, events: Any = (), rulebook: Rulebook = RULEBOOK) -> dict[str, Any]:
    """The first answer, as the ledger has it."""
    max_hp = rulebook.game.max_hp(player.class_name, player.level)
    state = {"name": player.name, "class": player.class_name, "level": player.level, "hp": player.hp}
    return {**state, "exp": player.exp, "max_hp": max_hp, "events": list(events)}


def played(player: Player, attempts: list[Record]) -> list[RecordedStep]:
    """The rows of the attempts: what took effect, and what was refused."""
    rows = []
    for attempt in attempts:
        args = RULEBOOK.arguments(attempt.action, attempt.args)
        moment = Moment(attempt.at, Dice(attempt.seed), RULEBOOK.game)
        raw = args.model_dump(mode="json", by_alias=True)
        try:
            outcome = RULEBOOK.apply(attempt.action, player, args, moment)
        except Refused as refusal:
            rows.append(RecordedStep(attempt.action, raw, attempt.seed, attempt.at, {"refused": {}}, refusal.code))
            continue
        player = outcome.player
        rows.append(RecordedStep(attempt.action, raw, attempt.seed, attempt.at, shown(player, outcome.events)))
    return rows


def course(rulebook: Rulebook, player: Player, steps: list[RecordedStep]) -> AlteredCourse:
    walked = AlteredCourse(rulebook, player)
    for step in steps:
        walked.take(step)
    return walked


def other(change: Any) -> Rulebook:
    game = mapping()
    change(game)
    return Rulebook.parse(game)


def sums(effects: Effects) -> tuple[Any, ...]:
    who = effects.player
    state = (who.class_name, who.level, who.hp, who.exp)
    return (*state, effects.exp_gained, effects.levels_gained, effects.times_down, effects.granted, effects.taken)


@given(players(), records())
def test_the_same_rules_lead_to_what_was_recorded(player, attempts):
    walked = course(RULEBOOK, player, played(player, attempts))
    assert sums(walked.changed) == sums(walked.recorded)
    assert not walked.refused
    assert not walked.allowed
    assert not +walked.in_doubt


def test_a_foe_that_gives_more_gives_as_much_more_with_the_same_dice():
    hunts = [Record("hunt", {"foe": "slime"}, seed, LATER) for seed in range(12)]
    player = sample_player(exp=0)

    def triple(game: dict[str, Any]) -> None:
        game["foes"]["slime"]["exp"] *= 3
        game["levels"]["max_level"] = 1  # so that the chances stay the same

    steps = played(player, hunts)
    walked = course(other(triple), player, steps)
    assert walked.recorded.exp_gained > 0
    assert walked.changed.exp_gained == 3 * walked.recorded.exp_gained
    assert walked.changed.levels_gained == 0


def test_what_the_other_rules_lack_would_be_refused_and_changes_nothing():
    steps = played(sample_player(hp=5), [Record("rest", {}, 1, LATER), Record("hunt", {"foe": "wolf"}, 4, LATER)])
    walked = course(other(lambda game: game["foes"].pop("wolf")), sample_player(hp=5), steps)
    assert dict(walked.refused) == {("hunt", "unknown_foe"): 1}
    assert walked.steps == 2
    assert walked.changed.player.hp > 5
    walked = course(other(lambda game: game["actions"].pop("rest")), sample_player(hp=5), steps[:1])
    assert dict(walked.refused) == {("rest", "unknown_action"): 1}
    assert walked.changed.player.hp == 5


def test_what_was_refused_is_tried_again():
    def tough(game: dict[str, Any]) -> None:
        game["classes"]["warrior"]["base_hp"] = 500

    full = sample_player()
    steps = played(full, [Record("rest", {}, 1, LATER)])
    assert [step.refused for step in steps] == ["full_hp"]
    walked = course(other(tough), full, steps)
    assert dict(walked.allowed) == {("rest", "full_hp"): 1}
    assert walked.changed.player.hp > full.hp == walked.recorded.player.hp
    assert walked.steps == 0
    lacking = course(other(tough), full, [steps[0]._replace(refused="not_enough_items")])
    assert not lacking.allowed


def test_an_operators_correction_changes_the_player_by_as_much_as_it_did():
    player = sample_player(exp=1000)
    hunts = [Record("hunt", {"foe": "slime"}, seed, LATER) for seed in range(8)]
    steps = played(player, hunts)
    last = course(RULEBOOK, player, steps).recorded.player
    corrected = last._replace(exp=last.exp - 100)
    steps.append(RecordedStep(CORRECT, {}, 1, LATER, shown(corrected, [{"type": "corrected"}])))
    plain, generous = (course(book, player, steps) for book in (RULEBOOK, other(_double_slime)))
    assert plain.changed.player.exp == plain.recorded.player.exp == corrected.exp
    assert generous.changed.player.exp - plain.changed.player.exp == plain.recorded.exp_gained > 0


def _double_slime(game: dict[str, Any]) -> None:
    game["foes"]["slime"]["exp"] *= 2


def test_taking_items_is_doubted_once_the_player_would_have_fewer():
    player = sample_player(hp=1)
    hunts = [replace(record, args={"foe": "wolf"}) for record in HUNTS]
    steps = [step for step in played(sample_player(exp=90_000), hunts) if step.refused is None]
    granted = course(RULEBOOK, sample_player(exp=90_000), steps).recorded.granted
    assert granted["potion"] > 0
    use = played(player, [Record("use", {"item": "potion"}, 1, LATER)])
    dry = other(lambda game: game["foes"]["wolf"].pop("drops"))
    assert not +course(dry, player, use).in_doubt
    walked = course(dry, sample_player(exp=90_000, hp=200), steps)
    assert not walked.changed.granted
    walked.take(use[0])
    assert dict(+walked.in_doubt) == {"use": 1}


HUNTS = [Record("hunt", {"foe": "wolf"}, seed, LATER) for seed in range(20)]


def test_a_tally_counts_by_class_and_level_and_remembers_who_differs_most():
    tally = WhatIfTally(most=2)
    for number, exp in enumerate((0, 0, 1000)):
        player = sample_player(exp=exp)._replace(id=number + 1)
        hunts = [Record("hunt", {"foe": "slime"}, seed, LATER) for seed in range(4 * (number + 1))]
        tally.add(course(other(_double_slime), player, played(player, hunts)))
    level = RULEBOOK.game.level_of(1000)
    assert {key: group.players for key, group in tally.groups.items()} == {("warrior", 1): 2, ("warrior", level): 1}
    assert tally.total.players == 3
    assert tally.total.exp[1] > tally.total.exp[0] > 0
    shifts = tally.shifts()
    assert len(shifts) == 2
    assert shifts[0].by >= shifts[1].by > 0
    same = WhatIfTally(most=2)
    same.add(course(RULEBOOK, sample_player(), played(sample_player(), HUNTS[:3])))
    assert same.shifts() == []


def test_dice_that_arent_known_decide_nothing_and_whatever_needs_none_is_tried_again():
    def tough(game: dict[str, Any]) -> None:
        game["classes"]["warrior"]["base_hp"] = 500

    full, hunts = sample_player(), [Record("hunt", {"foe": "slime"}, seed, LATER) for seed in range(4)]
    rests = [step._replace(seed=None) for step in played(full, [Record("rest", {}, 1, LATER)])]
    assert dict(course(other(tough), full, rests).allowed) == {("rest", "full_hp"): 1}
    refused = [step._replace(seed=None, refused="closed", outcome={"refused": {}}) for step in played(full, hunts)]
    walked = course(RULEBOOK, full, refused)
    assert not walked.allowed
    assert walked.changed.player == full


def test_what_no_rule_does_raises_the_version_and_gives_the_name():
    player = sample_player()
    named = player._replace(name="Bea")
    steps = [RecordedStep(action, {}, 0, LATER, shown(named)) for action in ("rename", "ban", "add_device")]
    walked = course(RULEBOOK, player, steps)
    assert walked.changed.player == walked.recorded.player == named._replace(version=4)
