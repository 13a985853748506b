"""What a game's rules remember of a player: its bounds, and the cool-downs and prizes that the example keeps there."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.corrections import Correct, RollBack
from gameserver.rules.dice import Dice
from gameserver.rules.errors import Refused, RuleBroken
from gameserver.rules.player import Moment, Outcome, Player, changed
from gameserver.rules.player_data import (
    MAX_BYTES,
    MAX_KEYS,
    MAX_VALUE,
    NO_DATA,
    PlayerData,
    changed_values,
    data_fault,
    dump,
    load,
    without_change,
)
from gameserver.rules.replay import Record, replay
from tests.rules.samples import RULEBOOK, START, play, rulebook_with, sample_player
from tests.rules.studio import Pray
from tests.support.repository import DOCS

VALUES = st.integers(-MAX_VALUE, MAX_VALUE) | st.booleans() | st.text(st.characters(codec="utf-8"), max_size=8)
DUEL = RULEBOOK.game.tuning.duel
OTHER = 8
STORED: Any = {}
"""What the rule `store` returns as data."""


def store(player: Player, args: Pray, moment: Moment) -> Outcome:
    return Outcome(changed(player, data=STORED["data"]), ())


def overwrite(player: Player, args: Pray, moment: Moment) -> Outcome:
    player.data["mark"] = 1  # type: ignore[index]
    return Outcome(player, ())


STUDIO = rulebook_with(store=f"{__name__}:store", overwrite=f"{__name__}:overwrite")


def stored(player: Player, data: Any) -> Player:
    STORED["data"] = data
    return play(player, "store", rulebook=STUDIO).player


def act(player: Player, action: str, seconds: float, /, **args: Any) -> Outcome:
    moment = Moment(START + timedelta(seconds=seconds), Dice(1), RULEBOOK.game)
    return RULEBOOK.apply(action, player, RULEBOOK.recorded(action, args), moment)


def refusal(player: Player, action: str, seconds: float, /, **args: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        act(player, action, seconds, **args)
    return refused.value


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), VALUES, max_size=8))
def test_what_fits_comes_back_equal_and_in_order_and_everything_else_breaks_the_rule(data: dict[str, Any]) -> None:
    if data_fault(data) is not None:
        assert "\0" in "".join([*data, *(value for value in data.values() if type(value) is str)])
        return
    kept = stored(sample_player(), data).data
    again = load(dump(kept))
    assert list(again.items()) == list(kept.items()) == list(data.items())
    assert [type(value) for value in again.values()] == [type(value) for value in data.values()]


@pytest.mark.parametrize(
    "data",
    [[], "text", None, 7, {1: 1}, {"": 1}, {"a\0": 1}, {"a" * 65: 1}, {"a": None}, {"a": 1.0}, {"a": [1]}, {"a": {}},
     {"a": 2**53}, {"a": -(2**53)}, {"a": "\0"}, {"a": "\ud800"}, {"\ud800": 1}, {"a": "b" * MAX_BYTES},
     {str(number): 1 for number in range(MAX_KEYS + 1)}],
    ids=repr,
)  # fmt: skip
def test_data_out_of_bounds_is_a_broken_rule(data: Any) -> None:
    STORED["data"] = data
    player = sample_player()._replace(data=PlayerData('{"a":1}'))
    if data is None:
        assert play(player, "store", rulebook=STUDIO).player.data == {"a": 1}, "None changes nothing"
        return
    with pytest.raises(RuleBroken):
        play(player, "store", rulebook=STUDIO)


def test_the_most_that_is_allowed_is_kept() -> None:
    for data in ({str(number): 1 for number in range(MAX_KEYS)}, {"a": "b" * (MAX_BYTES - 8)}, {"a" * 64: MAX_VALUE}):
        assert stored(sample_player(), data).data == data


def test_a_rule_cant_write_to_the_data_it_is_given() -> None:
    with pytest.raises(RuleBroken):
        play(sample_player()._replace(data=PlayerData('{"mark":0}')), "overwrite", rulebook=STUDIO)
    given_data = {"mark": 1}
    after = stored(sample_player(), given_data)
    given_data["mark"] = 2
    assert after.data == {"mark": 1}


def test_data_that_stays_the_same_is_the_same_object_and_a_number_isnt_a_boolean() -> None:
    first = stored(sample_player(), {"a": 1})
    assert stored(first, {"a": 1}).data is first.data
    assert dump(stored(first, {"a": True}).data) == '{"a":true}'
    assert dump(stored(first, {}).data) is None
    assert act(first, "duel", 1, player="8").player.data["a"] == 1, "another rule leaves it alone"
    assert sample_player().data is NO_DATA


def test_duels_have_a_cool_down_for_the_player_and_a_longer_one_for_each_pair() -> None:
    one = act(sample_player(), "duel", 0, player=str(OTHER)).player
    error = refusal(one, "duel", 0.5, player="9")
    assert (error.code, error.extra) == ("cooling_down", {"retry_after": DUEL.cooldown})
    two = act(one, "duel", DUEL.cooldown, player="9").player
    error = refusal(two, "duel", 2 * DUEL.cooldown, player=str(OTHER))
    assert error.extra == {"retry_after": DUEL.pair_cooldown - 2 * DUEL.cooldown}
    assert act(two, "duel", DUEL.pair_cooldown, player=str(OTHER))


def test_spells_for_others_have_cool_downs_of_their_own() -> None:
    tuning = RULEBOOK.game.tuning.heal_other
    one = act(sample_player("priest"), "heal_other", 0, player=str(OTHER)).player
    assert refusal(one, "heal_other", 0.5, player="9").code == "cooling_down"
    assert refusal(one, "heal_other", tuning.pair_cooldown - 0.5, player=str(OTHER)).extra == {"retry_after": 1}
    assert act(one, "heal_other", tuning.cooldown, player="9")
    assert act(one, "duel", 0.5, player=str(OTHER))


def test_one_that_lost_a_challenge_is_left_alone_for_some_seconds_unless_it_challenges_others() -> None:
    strong: dict[str, Any] = {"sender": "9", "level": 100, "damage_dealt": 1000}
    hero = sample_player()
    for seed in range(100):
        moment = Moment(START, Dice(seed), RULEBOOK.game)
        lost = RULEBOOK.apply("mail:challenged", hero, RULEBOOK.recorded("mail:challenged", strong), moment)
        if not lost.events[0]["won"]:
            break
    beaten = lost.player
    for second in (0, 1, DUEL.protection - 0.001):
        assert refusal(beaten, "mail:challenged", second, **strong).code == "protected"
    assert act(beaten, "mail:challenged", DUEL.protection, **strong)
    assert act(act(beaten, "duel", 1, player="9").player, "mail:challenged", 1, **strong)
    revived = act(sample_player(hp=0), "revive", 0).player
    assert refusal(revived, "mail:challenged", 1, **strong).code == "protected"


def test_two_players_of_one_person_gain_little_from_each_other_and_all_wins_of_a_day_are_bounded() -> None:
    def after_wins(player: Player, wins: int, senders: int, start: float = 0) -> Player:
        for number in range(wins):
            args: dict[str, Any] = {"sender": str(100 + number % senders), "won": True, "level": 50}
            player = act(player, "mail:duelled", start + number / 1000, **args).player
        return player

    full = DUEL.exp_per_level * 50
    assert full < after_wins(sample_player(), 2000, 1).exp < 2 * full
    rotating = after_wins(sample_player(), 2000, 40)
    assert rotating.exp == DUEL.daily_exp
    next_day = after_wins(rotating, 1, 1, start=86_400)
    assert next_day.exp == DUEL.daily_exp + full, "the next day counts anew"


def test_the_data_stays_small_whomever_a_player_meets_and_replays_to_the_same() -> None:
    player, records = sample_player("priest"), []
    for number in range(300):
        other = str(2**63 - 1 - number)
        plans: list[tuple[str, dict[str, Any]]] = [
            ("heal_other", {"player": other}), ("duel", {"player": other}), ("rest", {}),
            ("mail:duelled", {"sender": other, "won": True, "level": 3}),
            ("mail:healed", {"sender": other, "points": 99}),
        ]  # fmt: skip
        for action, args in plans:
            at = START + timedelta(seconds=3 * number)
            try:
                player = RULEBOOK.apply(
                    action, player, RULEBOOK.recorded(action, args), Moment(at, Dice(number), RULEBOOK.game)
                ).player
            except Refused:
                continue
            records.append(Record(action, args, number, at))
        assert len(player.data.text) < MAX_BYTES
        assert data_fault(player.data) is None
    assert len(player.data) > 12
    last = replay(RULEBOOK, sample_player("priest"), records)
    assert last == player
    assert orjson.loads(last.data.text) == dict(player.data)


def test_the_example_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", (DOCS / "game-data.md").read_text("utf-8"), re.M | re.S)
    (tmp_path / "chests.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    rulebook = rulebook_with(open_chest="chests:open_chest")
    opened = play(sample_player(), "open_chest", rulebook=rulebook).player
    assert (opened.exp, dict(opened.data)) == (25, {"chest": "2026-01-01"})
    with pytest.raises(Refused):
        play(opened, "open_chest", rulebook=rulebook)


def test_an_order_is_written_as_earlier_versions_wrote_it_unless_it_says_more() -> None:
    assert Correct(exp=3).model_dump_json() == '{"hp":null,"exp":3,"class":null,"items":{}}'
    assert Correct(data={"a": None}).model_dump_json().endswith(',"items":{},"data":{"a":null}}')
    assert RollBack(to="x").model_dump_json() == '{"to":"x"}'
    assert RollBack(to_version=3).model_dump_json() == '{"to":null,"to_version":3}'


@given(*[st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1) | st.booleans(), max_size=4)] * 3)
def test_a_change_that_is_taken_back_takes_back_only_itself(
    before: dict[str, Any], after: dict[str, Any], since: dict[str, Any]
) -> None:
    present = PlayerData(orjson.dumps({**after, **since}).decode())
    data, stays = without_change(present, before, after)
    changes, later = changed_values(before, after), changed_values(after, present)
    assert set(stays) == set(changes) & set(later)
    for name in "abcd":
        expected = before.get(name) if name in changes and name not in later else present.get(name)
        assert repr(data.get(name)) == repr(expected)


def test_a_change_stays_if_there_is_no_room_for_what_it_has_removed() -> None:
    before = {"a": "b" * (MAX_BYTES - 8)}
    present = PlayerData(orjson.dumps({"c": 1}).decode())
    assert without_change(present, before, {}) == (present, ["a"])
