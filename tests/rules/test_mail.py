"""What players do to each other: actions that send letters, letters' rules, and the law of letters."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.dice import Dice
from gameserver.rules.errors import BadInput, Refused, RuleBroken, UnknownAction
from gameserver.rules.game import GameFault
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.mail import Challenged, challenger_chance
from gameserver.rules.player import Letter, Moment, Outcome, Player, sends_mail
from gameserver.rules.replay import Record, replay
from gameserver.rules.rulebook import LETTERS, Rulebook
from tests.rules.samples import LATER, RULEBOOK, mapping, play, players, sample_player
from tests.rules.studio import Pray
from tests.support.repository import DOCS

OTHER = "8"
SEEDS = st.integers(0, 2**63 - 1)


def receive(player: Player, letter: Letter, seed: int = 1) -> Outcome:
    """What a letter, as the rulebook returned it, does to a player."""
    assert not isinstance(letter.args, dict)
    return RULEBOOK.apply(letter.kind, player, letter.args, Moment(LATER, Dice(seed), RULEBOOK.game))  # type: ignore[arg-type]


def other(player: Player) -> Player:
    return player._replace(id=8, name="Bea")


@given(players().filter(lambda player: player.hp > 0), players(), SEEDS)
def test_a_spell_for_another_costs_its_caster_hp_and_heals_the_other_at_most_to_max_hp(caster, target, seed):
    caster = caster._replace(class_name="priest", hp=RULEBOOK.game.max_hp("priest", caster.level))
    outcome = play(caster, "heal_other", {"player": OTHER}, seed)
    (letter,) = outcome.letters
    assert caster.hp - outcome.player.hp == RULEBOOK.game.tuning.heal_other.cost
    assert (letter.recipient, letter.kind) == (8, "mail:healed")
    if not target.hp:
        with pytest.raises(Refused, match="revived"):
            receive(other(target), letter)
        return
    healed = receive(other(target), letter)
    room = RULEBOOK.game.max_hp(target.class_name, target.level) - target.hp
    assert healed.player.hp - target.hp == min(outcome.events[0]["points"], room)
    assert healed.player.exp == target.exp


@pytest.mark.parametrize(
    ("class_name", "hp", "target", "code"),
    [
        ("priest", None, "7", "same_player"),
        ("warrior", None, OTHER, "not_a_healer"),
        ("mage", None, OTHER, "not_a_healer"),
        ("priest", 6, OTHER, "not_enough_hp"),
        ("priest", 0, OTHER, "player_is_down"),
    ],
)
def test_healing_is_refused_for_oneself_for_other_classes_and_with_too_few_hp(class_name, hp, target, code):
    with pytest.raises(Refused) as caught:
        play(sample_player(class_name, hp), "heal_other", {"player": target})
    assert caught.value.code == code


@given(players().filter(lambda player: player.hp > 0), players().filter(lambda player: player.hp > 0), SEEDS)
def test_a_duel_has_one_winner_that_gains_exp_and_one_loser_that_loses_hp(challenger, target, seed):
    (challenge,) = play(challenger, "duel", {"player": OTHER}).letters
    fought = receive(other(target), challenge, seed)
    (end,) = fought.letters
    assert (end.recipient, end.kind) == (7, "mail:duelled")
    ended = receive(challenger, end, seed)
    (challenge_event,) = [event for event in fought.events if event["type"] == "challenged"]
    (duel_event,) = [event for event in ended.events if event["type"] == "duelled"]
    assert challenge_event["won"] is not duel_event["won"]
    for before, after, event, loser in (
        (target, fought, challenge_event, challenger),
        (challenger, ended, duel_event, target),
    ):
        won = event["won"]
        assert after.player.exp - before.exp == event["exp"]
        assert event["exp"] == (min(10 * loser.level, EXP_CAP - before.exp) if won else 0)
        assert before.hp - after.player.hp == event["damage"] > -1
        assert after.player.hp > 0 or event is duel_event, "a stranger can't put the challenged player down"
        assert bool(event["damage"]) is not won or (event is challenge_event and before.hp == 1)
    assert not ended.letters, "nothing is answered any more"


def test_a_player_that_is_down_neither_challenges_nor_fights_but_gets_the_result_of_its_duel():
    down = sample_player(hp=0)
    with pytest.raises(Refused):
        play(down, "duel", {"player": OTHER})
    (challenge,) = play(sample_player(), "duel", {"player": OTHER}).letters
    with pytest.raises(Refused) as caught:
        receive(other(down), challenge)
    assert caught.value.code == "player_is_down"
    (end,) = receive(other(sample_player()), challenge).letters
    assert receive(down, end).player.version == down.version + 1


@given(st.integers(0, 1000), st.integers(1, 100), st.integers(0, 1000), st.integers(1, 100))
def test_the_chance_of_a_duel_is_even_among_equals_and_within_its_bounds(power, level, other_power, other_level):
    tuning = RULEBOOK.game.tuning.duel
    chance = challenger_chance(
        Challenged(sender="7", level=level, damage_dealt=power), other_level, other_power, tuning
    )
    assert tuning.least_chance <= chance <= tuning.most_chance
    if (power, level) == (other_power, other_level) and power:
        assert chance == 50


def test_a_returned_letter_says_which_it_was_and_why():
    args = {"sender": "7", "kind": "healed", "to": OTHER, "reason": "player_not_found", "args": {"points": 3}}
    model = RULEBOOK.recorded("mail:returned", args)
    outcome = RULEBOOK.apply("mail:returned", sample_player(hp=0), model, Moment(LATER, Dice(1), RULEBOOK.game))
    assert outcome.events == ({"type": "mail_returned", "kind": "healed", "to": OTHER, "reason": "player_not_found"},)


@given(players().filter(lambda player: player.hp > 0), SEEDS)
def test_letters_replay_to_the_same_player(player, seed):
    (challenge,) = play(sample_player(), "duel", {"player": OTHER}).letters
    after = receive(other(player), challenge, seed).player
    args = challenge.args.model_dump(mode="json")  # type: ignore[union-attr]
    assert replay(RULEBOOK, other(player), [Record(challenge.kind, args, seed, LATER)]) == after


@pytest.mark.parametrize(
    "given_id", ["0", "", "-1", "01", "1.0", "x", str(2**63), "9" * 19, "9" * 40, "１", 7, None, True]
)
@pytest.mark.parametrize("action", ["heal_other", "duel"])
def test_an_invalid_player_id_is_refused_by_field(action, given_id):
    with pytest.raises(BadInput) as caught:
        RULEBOOK.arguments(action, {"player": given_id})
    assert [fault.field for fault in caught.value.errors] == ["args.player"]


def test_the_largest_id_is_a_player_id():
    assert RULEBOOK.arguments("duel", {"player": str(2**63 - 1)})


def test_a_letters_rule_is_no_action():
    for name in ("mail:healed", "healed"):
        with pytest.raises(UnknownAction):
            RULEBOOK.arguments(name, {"sender": "8", "points": 100})
    assert not any(":" in name for name in RULEBOOK.actions())


def _sending(*letters: Any) -> Callable[[Player, Pray, Moment], Outcome]:
    @sends_mail
    def send(player: Player, args: Pray, moment: Moment) -> Outcome:
        return Outcome(player, (), letters)

    return send


fine = Letter(8, "healed", {"points": 1})
too_many = _sending(*[fine] * (LETTERS + 1))
as_many_as_may_be = _sending(*[fine] * LETTERS)
no_letters = _sending({"recipient": 8})
to_oneself = _sending(Letter(7, "healed", {"points": 1}))
to_no_id = _sending(Letter(0, "healed", {"points": 1}))
to_a_huge_id = _sending(Letter(2**63, "healed", {"points": 1}))
to_a_string = _sending(Letter("8", "healed", {"points": 1}))  # type: ignore[arg-type]
of_no_kind = _sending(Letter(8, "poisoned", {}))
with_wrong_arguments = _sending(Letter(8, "healed", {"points": "many"}))
with_no_arguments = _sending(Letter(8, "healed", None))  # type: ignore[arg-type]
from_another = _sending(Letter(8, "healed", {"points": 1, "sender": "9"}))
a_bounce = _sending(Letter(8, "returned", {"kind": "healed", "to": "9", "reason": "x", "args": {}}))


def unmarked(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, (), (fine,))


def loosely(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(player, ())


@pytest.mark.parametrize(
    "name",
    ["too_many", "no_letters", "to_oneself", "to_no_id", "to_a_huge_id", "to_a_string", "of_no_kind",
     "with_wrong_arguments", "with_no_arguments", "a_bounce", "unmarked"],
)  # fmt: skip
def test_an_action_whose_letters_cant_be_sent_is_a_broken_rule(name):
    changed = mapping()
    changed["actions"]["send"] = f"{__name__}:{name}"
    with pytest.raises(RuleBroken):
        play(sample_player(), "send", rulebook=Rulebook.parse(changed))


def test_the_sender_is_the_player_that_sends_whatever_the_rule_says():
    changed = mapping()
    changed["actions"] |= {"send": f"{__name__}:from_another", "many": f"{__name__}:as_many_as_may_be"}
    rulebook = Rulebook.parse(changed)
    (letter,) = play(sample_player(), "send", rulebook=rulebook).letters
    assert letter.args.sender == "7"  # type: ignore[union-attr]
    assert len(play(sample_player(), "many", rulebook=rulebook).letters) == LETTERS


@pytest.mark.parametrize(
    ("mail", "fault"),
    [
        ({"healed": "gameserver.rules.mail:healed"}, "mail.returned: "),
        ({"returned": f"{__name__}:loosely"}, "mail.returned: Pray must be a MailArguments"),
        ({"returned": "nowhere:returned"}, "mail.returned: can't import nowhere"),
        ({"returned": "gameserver.rules.mail:returned", "Big": "a:b"}, "mail.Big.[key]: "),
        (3, "mail: Input should be a valid dictionary"),
    ],
)
def test_a_fault_of_the_mail_table_is_reported_with_its_path(mail, fault):
    changed = mapping()
    changed["mail"] = mail
    with pytest.raises(GameFault) as caught:
        Rulebook.parse(changed)
    assert any(problem.startswith(fault) for problem in caught.value.problems), caught.value.problems


def test_a_game_may_do_without_mail():
    without = mapping()
    del without["mail"], without["actions"]["heal_other"], without["actions"]["duel"]
    del without["boards"]["dragons_weekly"]["rewards"]
    rulebook = Rulebook.parse(without)
    assert (rulebook.mail_kinds(), rulebook.sending) == ([], frozenset())
    assert play(sample_player(), "hunt", {"foe": "slime"}, rulebook=rulebook).letters == ()


def test_the_example_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "mail.md").read_text("utf-8")
    (code,), (tables,) = (re.findall(rf"^```{kind}\n(.*?)^```", page, re.M | re.S) for kind in ("python", "toml"))
    (tmp_path / "mygame.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    changed, more = mapping(), tomllib.loads(tables)
    for table, rules in more.items():
        changed[table] |= rules
    rulebook = Rulebook.parse(changed)
    (letter,) = play(sample_player(), "bless", {"player": OTHER}, rulebook=rulebook).letters
    moment = Moment(LATER, Dice(1), rulebook.game)
    blessed = rulebook.apply(letter.kind, other(sample_player(hp=50)), letter.args, moment)  # type: ignore[arg-type]
    assert blessed.player.hp == 50 + letter.args.points  # type: ignore[union-attr]
