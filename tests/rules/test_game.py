"""game.toml: valid data is read, and every fault is reported at once with its path."""

from collections.abc import Callable
from typing import Any

import pytest

from gameserver.rules.boards import Board
from gameserver.rules.errors import RuleBroken, UnknownClass, UnknownFoe
from gameserver.rules.game import Game, GameFault
from gameserver.rules.rulebook import Rulebook
from tests.rules.samples import RULEBOOK, START, mapping, play, sample_player

Change = Callable[[dict[str, Any]], object]
WEEKLY = {"score": "exp", "season": {"cron": "0 0 * * 1"}}


def _faults(change: Change) -> list[str]:
    changed = mapping()
    change(changed)
    with pytest.raises(GameFault) as caught:
        Rulebook.parse(changed)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def _put(path: str, value: object) -> Change:
    *tables, last = path.split(".")

    def change(table: dict[str, Any]) -> None:
        for name in tables:
            table = table.setdefault(name, {})
        table[last] = value

    return change


def test_the_four_classes_have_their_korean_titles():
    titles = {name: player_class.title for name, player_class in RULEBOOK.game.classes.items()}
    assert titles == {"warrior": "전사", "fighter": "격투가", "mage": "마법사", "priest": "승려"}


def test_each_class_differs_from_every_other_in_growth():
    growths = {(player_class.base_hp, player_class.hp_per_level) for player_class in RULEBOOK.game.classes.values()}
    assert len(growths) == 4


def test_there_is_a_board_of_all_players_and_one_of_each_class():
    plain = {name: board for name, board in RULEBOOK.game.boards.items() if not board.stores_scores}
    assert plain == {
        "exp": Board("exp", "exp"),
        **{name: Board(name, "exp", name) for name in RULEBOOK.game.classes},
    }


def test_classes_are_in_the_order_of_the_file_with_their_figures():
    name, first = next(iter(RULEBOOK.game.classes.items()))
    assert (name, first.title, first.base_hp) == ("warrior", "전사", 110)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_put("levels.base", 0), "levels.base: Input should be greater than or equal to 1"),
        (_put("levels.base", 2**70), "levels.base: Input should be less than or equal to 1000000000"),
        (_put("levels.max_level", "100"), "levels.max_level: Input should be a valid integer"),
        (_put("levels.max_level", True), "levels.max_level: Input should be a valid integer"),
        (_put("levels", 3), "levels: Input should be a valid dictionary"),
        (_put("classes", {}), "classes: Dictionary should have at least 1 item"),
        (_put("classes.mage.base_hp", -1), "classes.mage.base_hp: "),
        (_put("classes.mage.mana", 10), "classes.mage.mana: Extra inputs are not permitted"),
        (_put("classes.mage.heal_power", 1.5), "classes.mage.heal_power: Input should be a valid integer"),
        (_put("classes.Big Mage", {}), "classes.Big Mage.[key]: String should match pattern"),
        (_put("classes.mage.title", ""), "classes.mage.title: "),
        (_put("foes.slime.max_damage", 0), "foes.slime: Value error, min_damage is above max_damage"),
        (_put("foes.slime.win_chance", 101), "foes.slime.win_chance: "),
        (_put("tuning.hunt.least_chance", 99), "tuning.hunt: Value error, least_chance is above most_chance"),
        (_put("tuning.heal.min", 99), "tuning.heal: Value error, min is above max"),
        (_put("tuning.rest.percent", 0), "tuning.rest.percent: "),
        (_put("boards.mage.class", "druid"), "boards.mage.class: there is no class 'druid'"),
        (_put("boards.mage.score", "gold"), "boards.mage.score: String should match pattern '^(exp|level|points:"),
        (_put("boards.mage.operator", "most"), "boards.mage.operator: Input should be 'best', 'last' or 'sum'"),
        (_put("boards.mage.operator", "best"), "boards.mage.operator: exp is ranked as it is; write 'last'"),
        (
            _put("boards.mage.operator", "sum"),
            "boards.mage.operator: exp is ranked as it is; 'sum', which adds up gains",
        ),
        (_put("boards.mage.ties", "shared"), "boards.mage.ties: Input should be 'first', 'dense' or 'competition'"),
        (
            _put("boards.mage", {"score": "points:kills", "operator": "last", "ties": "first"}),
            "boards.mage.ties: a score of the operator 'last' can be left and reached again",
        ),
        (_put("boards.mage.size", -1), "boards.mage.size: Input should be greater than or equal to 0"),
        (
            _put("boards.mage", {"score": "exp", "class": "mage", "min_level": 9, "max_level": 3}),
            "boards.mage.min_level: 9 is above max_level, 3",
        ),
        (_put("boards.mage.season", {"cron": "0 0 31 2 *"}), "boards.mage.season: Value error, '0 0 31 2 *' isn't a"),
        (_put("boards.mage.season", {"cron": "0 0 1"}), "boards.mage.season: Value error, '0 0 1' isn't a cron"),
        (
            _put("boards.mage.season", {"cron": "0 0 * * 1", "zone": "Asia/Soul"}),
            "boards.mage.season: Value error, there is no time zone 'Asia/Soul'",
        ),
        (
            _put("boards.mage.rewards", [{"first": 1, "last": 1, "exp": 5}]),
            "boards.mage.rewards: only a board with seasons",
        ),
        (
            _put(
                "boards.week",
                {
                    "score": "points:kills",
                    "season": {"cron": "0 0 * * 1"},
                    "size": 10,
                    "rewards": [
                        {"first": 1, "last": 3, "exp": 5},
                        {"first": 3, "last": 9, "exp": 5},
                        {"first": 12, "last": 11, "exp": 5},
                    ],
                },
            ),
            "boards.week.rewards.1: rank 3 isn't after the ranks above, which end at 3",
        ),
        (_put("boards.again", {"score": "exp"}), "boards.again: ranks the same as boards.exp"),
        (_put("foes.slime.drops", [{"item": "gold", "chance": 1}]), "foes.slime.drops.0.item: there is no item 'gold'"),
        (_put("foes.slime.drops", [{"item": "herb", "chance": 101}]), "foes.slime.drops.0.chance: "),
        (_put("foes.slime.drops", [{"item": "herb", "chance": 1, "count": 0}]), "foes.slime.drops.0.count: "),
        (_put("items.herb.max_stack", 0), "items.herb.max_stack: "),
        (_put("items.herb.max_stack", 2**53), "items.herb.max_stack: "),
        (_put("items.herb.heal", 0), "items.herb.heal: "),
        (_put("items.Herb", {}), "items.Herb.[key]: String should match pattern"),
        (_put("actions.pray", "tests.rules.studio:take_gold"), "takes what it can't: there is no item 'gold'"),
        (_put("actions.pray", "tests.rules.studio:take_none"), "takes what it can't: 0 of 'herb' isn't a count"),
        (_put("weather", {}), "weather: there is no such table"),
        (_put("actions", {}), "actions: Dictionary should have at least 1 item"),
        (_put("actions.rename", "tests.rules.studio:pray"), "actions.rename: the ledger uses this name itself"),
        (_put("actions.pray", "studio.pray"), "actions.pray: String should match pattern"),
        (_put("actions.pray", 3), "actions.pray: Input should be a valid string"),
        (_put("actions.pray", "no.such.module:pray"), "actions.pray: can't import no.such.module: "),
        (_put("actions.pray", "tests.rules.studio:sing"), "actions.pray: tests.rules.studio has no 'sing'"),
        (
            _put("actions.pray", "tests.rules.studio:BEYOND"),
            "studio:BEYOND is not a function",
        ),
        (
            _put("actions.pray", "tests.rules.studio:Pray"),
            "studio:Pray is not a function",
        ),
        (
            _put("actions.pray", "tests.rules.studio:wait"),
            "studio:wait must be a plain function",
        ),
        (_put("actions.pray", "tests.rules.studio:dream"), "must be a plain function, not a generator"),
        (_put("actions.pray", "tests.rules.studio:dream_on"), "studio:dream_on must be a plain function, not async"),
        (_put("actions.pray", "tests.rules.studio:sleep"), "studio:sleep must be a plain function, not async"),
        (_put("actions.pray", "tests.rules.studio:buy"), "what tests.rules.studio:buy takes must be a plain function"),
        (_put("actions.pray", "tests.rules.studio:decipher"), "Cryptic has no JSON schema: KeyError: 'rune'"),
        (_put("actions.pray", "tests.rules.studio:carve"), "Runic has no JSON schema: "),
        (_put("actions.pray", "tests.rules.studio:unseal"), "Sealed has no JSON schema: "),
        (_put("actions.pray", "tests.rules.studio:shy"), "tests.rules.studio:shy"),
        (_put("actions.pray", "tests.rules.studio:take_two"), "must take (player, args, moment)"),
        (_put("actions.pray", "tests.rules.studio:take_by_name"), "must take (player, args, moment)"),
        (
            _put("actions.pray", "tests.rules.studio:take_anything"),
            "must annotate 'args' with a pydantic model",
        ),
        (_put("actions.pray", "tests.rules.studio:take_loosely"), 'must have extra="forbid" and strict=True'),
        (_put("actions.pray", "tests.rules.studio:take_hook"), "Hook has no JSON schema: "),
        (_put("actions.pray", "tests.rules.studio:take_unheard_of"), "can't read the annotations of"),
    ],
)
def test_a_fault_is_reported_with_its_path(change, fault):
    problems = _faults(change)
    assert any(fault in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        *(
            (
                _put("boards.mage.season", {"cron": "0 0 * * 1", "zone": zone}),
                f"boards.mage.season.zone: {zone} isn't the same on every machine; write such as Asia/Seoul",
            )
            for zone in ("localtime", "posixrules")
        ),
        *(
            (
                _put("boards.week", {**WEEKLY, "rewards": [{"first": 1, "last": 1, "text": f"Well{character}done"}]}),
                "boards.week.rewards.0.text: has a control character",
            )
            for character in ("\x00", "\x1b", "\x7f", "\r", "\x9b")
        ),
        *(
            (_put(f"{table}.title", f"A{character}b"), f"{table}.title: has a control character")
            for table in ("classes.mage", "foes.slime", "items.potion")
            for character in ("\x00", "\n", "\x1b", "\x85")
        ),
    ],
)
def test_what_earlier_versions_took_is_refused_of_a_new_game_and_read_where_it_was_published(
    change: Change, fault: str
) -> None:
    changed = mapping()
    change(changed)
    with pytest.raises(GameFault) as caught:
        Rulebook.parse_new(changed)
    assert caught.value.problems == [fault]
    Rulebook.parse(changed)


def test_a_rewards_text_may_have_several_lines() -> None:
    changed = mapping()
    _put("boards.week", {**WEEKLY, "rewards": [{"first": 1, "last": 1, "text": "Well done!\n\tA week of yours."}]})(
        changed
    )
    assert Rulebook.parse(changed).game.boards["week"].rewards[0].text.startswith("Well done!\n")


def test_a_single_fault_is_reported_once():
    assert _faults(_put("foes.wolf.exp", -1)) == ["foes.wolf.exp: Input should be greater than or equal to 0"]


def test_faults_of_all_tables_are_reported_at_once():
    def change(game: dict[str, Any]) -> None:
        del game["levels"], game["foes"]["slime"]["exp"]
        game["classes"]["mage"]["base_hp"] = 0
        game["boards"]["druid"] = {"score": "exp", "class": "druid"}
        game["actions"] |= {"pray": "nowhere:pray", "sing": 3}

    paths = [fault.split(": ")[0] for fault in _faults(change)]
    assert sorted(paths) == [
        "actions.pray", "actions.sing", "boards.druid.class", "classes.mage.base_hp", "foes.slime.exp", "levels",
    ]  # fmt: skip


@pytest.mark.parametrize("raw", [{}, {"actions": 3, "classes": [], "boards": "x", "foes": None}])
def test_no_data_at_all_is_a_list_of_faults_and_no_crash(raw):
    with pytest.raises(GameFault) as caught:
        Rulebook.parse(raw)
    assert {"levels: this table is missing", "tuning: this table is missing"} <= set(caught.value.problems)


@pytest.mark.parametrize("table", ["foes", "boards", "items"])
def test_a_game_may_do_without_foes_or_boards_or_items(table):
    without = mapping()
    for foe in without["foes"].values():
        foe.pop("drops", None)
    del without[table]
    assert not getattr(Game.parse(without), table)


def test_the_most_hp_that_data_can_give_fits_into_a_postgres_integer():
    extreme = mapping()
    extreme["levels"] = {"base": 10**9, "max_level": 1_000}
    extreme["classes"]["mage"] |= {"base_hp": 1_000_000, "hp_per_level": 100_000}
    assert Game.parse(extreme).max_hp("mage", 1_000) < 2**31


def test_what_is_retired_can_be_had_by_nobody_new_and_goes_on_for_those_who_have_it() -> None:
    changed = mapping()
    changed["classes"]["mage"]["retired"] = True
    changed["foes"]["slime"]["retired"] = True
    rulebook = Rulebook.parse(changed)
    player = sample_player("mage", exp=500)
    assert play(player, "hunt", {"foe": "wolf"}, rulebook=rulebook).player.class_name == "mage"
    with pytest.raises(UnknownFoe) as foe:
        play(player, "hunt", {"foe": "slime"}, rulebook=rulebook)
    with pytest.raises(UnknownClass) as taken:
        play(sample_player(exp=500), "change_class", {"class": "mage"}, rulebook=rulebook)
    with pytest.raises(UnknownClass):
        rulebook.new_player(8, "Bea", "mage", START)
    assert "slime" not in foe.value.errors[0].problem
    assert "mage" not in taken.value.errors[0].problem


def test_a_rule_cannot_give_a_retired_class_or_one_that_is_missing() -> None:
    changed = mapping() | {"actions": mapping()["actions"] | {"turn": "tests.rules.studio:turn"}}
    changed["classes"]["mage"]["retired"] = True
    rulebook = Rulebook.parse(changed)
    for class_name in ("mage", "bard"):
        with pytest.raises(RuleBroken, match="nobody can take the class"):
            play(sample_player(), "turn", {"class_name": class_name}, rulebook=rulebook)
