"""The game of config/game.toml, players of it, and actions that they may take."""

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from gameserver.rules.dice import Dice
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Moment, Outcome, Player
from gameserver.rules.replay import Record
from gameserver.rules.rulebook import Rulebook
from tests.support.repository import CONFIG

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(seconds=1)


def mapping() -> dict[str, Any]:
    """game.toml as it is, to be changed at will."""
    return tomllib.loads((CONFIG / "game.toml").read_text("utf-8"))


def rulebook_with(**actions: str) -> Rulebook:
    """The rulebook with more actions."""
    changed = mapping()
    changed["actions"] |= actions
    return Rulebook.parse(changed)


RULEBOOK = Rulebook.parse(mapping())
CLASSES = sorted(RULEBOOK.game.classes)
FOES = sorted(RULEBOOK.game.foes)


def sample_player(class_name: str = "warrior", hp: int | None = None, exp: int = 0) -> Player:
    return RULEBOOK.new_player(7, "Ann", class_name, START, hp, exp)


def play(player: Player, action: str, raw: object = None, seed: int = 1, rulebook: Rulebook = RULEBOOK) -> Outcome:
    """The outcome of an action a second after the start."""
    args = rulebook.arguments(action, {} if raw is None else raw)
    return rulebook.apply(action, player, args, Moment(LATER, Dice(seed), rulebook.game))


@st.composite
def players(draw: st.DrawFn) -> Player:
    class_name = draw(st.sampled_from(CLASSES))
    exp = draw(st.integers(0, 300_000) | st.integers(0, EXP_CAP) | st.just(EXP_CAP))
    max_hp = RULEBOOK.game.max_hp(class_name, RULEBOOK.game.level_of(exp))
    return sample_player(class_name, draw(st.integers(0, max_hp)), exp)


_asked: st.SearchStrategy[tuple[str, dict[str, str]]] = st.one_of(
    st.tuples(st.just("hunt"), st.fixed_dictionaries({"foe": st.sampled_from(FOES)})),
    st.tuples(st.sampled_from(["rest", "heal", "revive"]), st.just({})),
    st.tuples(st.just("change_class"), st.fixed_dictionaries({"class": st.sampled_from(CLASSES)})),
)


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    """Up to 30 attempts, in order of time; the rules may refuse any of them."""
    attempts = draw(st.lists(st.tuples(_asked, st.integers(0, 2**63 - 1)), max_size=30))
    return [
        Record(action, args, seed, START + timedelta(seconds=second))
        for second, ((action, args), seed) in enumerate(attempts, 1)
    ]
