"""The test kit passes the game's own rules, and fails each way in which a studio's rule can be wrong."""

import itertools
import re
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import find, given
from hypothesis import strategies as st
from pydantic import Field

from gameserver.rules.arguments import Arguments, FoeName, MailArguments, PlayerId
from gameserver.rules.errors import GameError, Overloaded, Refused
from gameserver.rules.items import takes
from gameserver.rules.player import Letter, Moment, Outcome, Player, changed, sends_mail
from gameserver.rules.rulebook import Rulebook
from gameserver.rules.studio import LONGEST_RULE
from gameserver.testing import GameKit
from gameserver.testing.kit import NOW
from gameserver.testing.strategies import json_of
from tests.rules.samples import mapping
from tests.support.repository import CONFIG

GAME = GameKit.of(CONFIG / "game.toml")
_counted = itertools.count()


@pytest.mark.parametrize("rule", [*GAME.actions, *GAME.letters])
def test_the_rules_of_the_game_keep_the_law(rule: str) -> None:
    GAME.check(rule, examples=100)


@pytest.mark.parametrize("place", ["settings", "."])
def test_modules_are_found_where_the_server_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "settings").mkdir()
    module = f"rules_of_{'settings' if place == 'settings' else 'game'}_kit"
    text = (CONFIG / "game.toml").read_text("utf-8")
    (tmp_path / place / f"{module}.py").write_text("from gameserver.rules.actions import rest\n", "utf-8")
    (tmp_path / "game.toml").write_text(text.replace("gameserver.rules.actions:rest", f"{module}:rest"), "utf-8")
    kit = GameKit.of(tmp_path / "game.toml", tmp_path / "settings" / "gameserver.toml")
    assert module in sys.modules
    assert "rest" in kit.actions


class Nothing(Arguments):
    """No arguments."""


class AtSomebody(Arguments):
    """Another player."""

    player: PlayerId


class Harm(MailArguments):
    """How much."""

    points: int


def overheals(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(changed(player, hp=player.hp + 1), ())


def forgets(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(changed(player, exp=player.exp // 2), ())


def divides(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(changed(player, exp=player.exp + 100 // player.exp), ())


def remembers(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "counted", "number": next(_counted)},))


def shows_a_set(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "shown", "things": {1, 2}},))


class Mine(GameError):
    code = "mine"


class Tired(Refused):
    def __init__(self) -> None:
        super().__init__("tired", "Sleep first.")


def raises_its_own(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    raise Mine


def says_what_the_server_says(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    raise Overloaded(retry_after=1)


def ends_the_session(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    raise Refused("session_revoked", "Go.")


def makes_wait(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    raise Refused("later", "Later.", extra={"retry_after": float("nan")})


def levels_up(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "level_up", "level": 99},))


def shows_nan(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(player, ({"type": "shown", "share": float("nan")},))


def ponders(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    time.sleep(LONGEST_RULE * 1.1)
    return Outcome(player, ())


def is_tired(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    raise Tired


def grants_what_there_is_not(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(player, (), grants=(("crown", 1),))


def hoards(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(changed(player, data={f"mark {number}": number for number in range(33)}), ())


def chokes_on_its_memory(player: Player, _args: Nothing, _moment: Moment) -> Outcome:
    return Outcome(changed(player, data={"times": player.data["times"] + 1 if player.data else "once"}), ())  # type: ignore[operator]


class Recipe(Arguments):
    """Which one."""

    recipe: Annotated[str, Field(max_length=20)]


@takes(lambda args: {"herb": {"potion": 2}[args.recipe]})
def brews(player: Player, args: Recipe, _moment: Moment) -> Outcome:
    if args.recipe != "potion":
        raise Refused("no_recipe", "There is no such recipe.")
    return Outcome(player, ({"type": "brewed"},))


@sends_mail
def mistypes(player: Player, args: AtSomebody, _moment: Moment) -> Outcome:
    return Outcome(player, (), (Letter(int(args.player), "heeled", {"points": 1}),))


@sends_mail
def harms(player: Player, args: AtSomebody, _moment: Moment) -> Outcome:
    return Outcome(player, (), (Letter(int(args.player), "harmed", {"points": 5}),))


def harmed(player: Player, args: Harm, _moment: Moment) -> Outcome:
    return Outcome(player._replace(hp=player.hp - args.points), ())


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("overheals", "HP are too many"),
        ("forgets", "exp fell"),
        ("divides", "ZeroDivisionError"),
        ("remembers", "isn't a function of player, arguments and moment"),
        ("shows_a_set", "aren't JSON"),
        ("raises_its_own", "raised Mine"),
        ("says_what_the_server_says", "raised Overloaded"),
        ("ends_the_session", "only the server gives"),
        ("makes_wait", "retry_after that isn't a number"),
        ("levels_up", "none of which the server gives itself"),
        ("shows_nan", "events.0.share is nan, which isn't finite"),
        ("ponders", "s: a rule may take 1"),
        ("grants_what_there_is_not", "there is no item 'crown'"),
        ("hoards", "data has 33 names"),
        ("chokes_on_its_memory", "chokes_on_its_memory, with {"),
        ("brews", "takes of action 'brews' raised KeyError"),  # a server asks it before the rule can refuse
        ("mistypes", "there is no kind of letter 'heeled'"),
        ("harms", "harmed breaks its rule"),
    ],
)
def test_a_rule_that_breaks_the_law_fails_with_the_reason(rule: str, fault: str) -> None:
    changed_game = mapping()
    changed_game["actions"][rule] = f"{__name__}:{rule}"
    changed_game["mail"]["harmed"] = f"{__name__}:harmed"
    kit = GameKit(Rulebook.parse(changed_game))
    with pytest.raises(AssertionError, match=re.escape(fault)):
        kit.check(rule)


def test_a_refusal_of_a_class_of_ones_own_is_a_refusal_and_a_rule_with_nothing_else_is_told() -> None:
    changed_game = mapping()
    changed_game["actions"]["is_tired"] = f"{__name__}:is_tired"
    kit = GameKit(Rulebook.parse(changed_game))
    kit.check("is_tired", examples=5, refuses=True)
    with pytest.raises(AssertionError, match=r"is_tired took effect in none of \d+ cases; .* tired \(\d+\)"):
        kit.check("is_tired", examples=5)
    with pytest.raises(Tired):
        kit.play(kit.player(), "is_tired")


def test_a_case_of_ones_own() -> None:
    player = GAME.player("mage", hp=10)
    assert GAME.play(player, "rest").player.hp == 10 + GAME.rulebook.game.max_hp("mage", 1) // 10
    with pytest.raises(Refused):
        GAME.play(GAME.player(), "rest")


def test_a_player_of_whom_rules_remember_something() -> None:
    until = int((NOW + timedelta(seconds=5)).timestamp()) * 1000
    with pytest.raises(Refused) as refused:
        GAME.play(GAME.player(data={"duel": until}), "duel", {"player": "9"})
    assert (refused.value.code, refused.value.extra) == ("cooling_down", {"retry_after": 5})
    GAME.play(GAME.player(data={"duel": until}), "duel", {"player": "9"}, now=NOW + timedelta(seconds=5))
    with pytest.raises(ValueError, match=r"data\.duel is 1\.5"):
        GAME.player(data={"duel": 1.5})  # type: ignore[dict-item]


class Ornate(Arguments):
    """One field of each kind."""

    foe: FoeName
    player: PlayerId
    count: Annotated[int, Field(ge=1, lt=10)]
    share: Annotated[float, Field(gt=0, le=1)]
    on: bool
    name: Annotated[str, Field(min_length=2, max_length=5)]
    tags: Annotated[list[str], Field(max_length=3)]
    extra: dict[str, int]
    maybe: int | None = None


@given(st.data())
def test_arguments_fit_the_schema_and_names_of_the_game_are_among_them(data: st.DataObject) -> None:
    ornate = data.draw(json_of(Ornate.model_json_schema(), ["slime"]))
    Ornate.model_validate(ornate)


def test_players_of_every_kind_are_tried() -> None:
    most = GAME.rulebook.game.max_hp
    for kind in (
        lambda player: player.hp == 0,
        lambda player: player.hp == most(player.class_name, player.level) and player.level > 50,
        lambda player: player.class_name == "priest" and player.level == 1,
    ):
        find(GAME.players(), kind)
    assert find(GAME.arguments("hunt"), lambda args: args["foe"] == "dragon") == {"foe": "dragon"}
