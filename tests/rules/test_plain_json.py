"""What a rule makes is JSON as it is, or the rule is broken: nothing is changed silently on its way to clients."""

import enum
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.rules.errors import Refused, RuleBroken
from gameserver.rules.outcomes import OF_SERVER
from gameserver.rules.plain_json import LARGEST_JSON, json_fault
from gameserver.rules.player import Letter, Outcome, Player, changed
from tests.rules.samples import RULEBOOK, play, rulebook_with, sample_player
from tests.rules.studio import Pray


class Colour(enum.StrEnum):
    RED = "red"


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


UNFAITHFUL = {
    "NaN": float("nan"),
    "infinity": float("-inf"),
    "a moment": datetime(2026, 1, 1, tzinfo=UTC),
    "a UUID": UUID(int=1),
    "an enumeration": Colour.RED,
    "beyond 2^53": 2**53,
    "beyond 2^53, below 0": -(2**53),
    "beyond 64 bits": 2**70,
    "a lone surrogate": "\ud800",
    "a NUL": "x\0",
    "a name with a NUL": {"\0": 2},
    "a set": {1},
    "a decimal": Decimal(1),
    "bytes": b"x",
    "a name that isn't text": {1: 2},
    "a name with a lone surrogate": {"\udfff": 2},
    "a kind of dict": OrderedDict(a=1),
    "a kind of int": enum.IntEnum("One", "ONE").ONE,  # type: ignore[attr-defined]
    "nested too deep": nested(9),
    "too large": "x" * LARGEST_JSON,
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.just(r"\u0000")
FAITHFUL = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
made: list[Callable[[Player], Outcome]] = []


def make(player: Player, args: Pray, moment: object) -> Outcome:
    return made[-1](player)


make.sends_mail = True  # type: ignore[attr-defined]
STUDIO = rulebook_with(make=f"{__name__}:make")


def outcome_of(of: Callable[[Player], Outcome]) -> Outcome:
    made.append(of)
    try:
        return play(sample_player(), "make", rulebook=STUDIO)
    finally:
        made.pop()


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("what", UNFAITHFUL)
def test_an_event_that_isnt_json_as_it_is_is_a_broken_rule(what: str, inside: bool) -> None:
    value = {"of": [UNFAITHFUL[what]]} if inside else UNFAITHFUL[what]
    with pytest.raises(RuleBroken, match="events aren't JSON that can be kept: "):
        outcome_of(lambda player: Outcome(player, ({"type": "shown"}, {"type": "shown", "what": value})))


@pytest.mark.parametrize("what", UNFAITHFUL)
def test_so_are_a_letters_arguments_a_refusals_extra_and_a_players_data(what: str) -> None:
    value = UNFAITHFUL[what]

    def refuse(player: Player) -> Outcome:
        raise Refused("no", "No.", extra={"why": value})

    for of in (
        lambda player: Outcome(player, (), (Letter(9, "healed", {"points": value}),)),
        lambda player: Outcome(changed(player, data={"what": value}), ()),
        refuse,
    ):
        with pytest.raises(RuleBroken):
            outcome_of(of)


@given(FAITHFUL)
def test_what_is_json_as_it_is_comes_back_equal(value: Any) -> None:
    event = {"type": "shown", "what": value}
    if orjson.loads(orjson.dumps(event)) == event and json_fault(event, "event") is None:
        assert outcome_of(lambda player: Outcome(player, (event,))).events == (event,)
    else:
        assert "nested" in str(json_fault(event, "event"))


def test_a_tuple_in_an_event_is_a_list() -> None:
    assert outcome_of(lambda player: Outcome(player, ({"type": "moved", "to": (3, 4)},))).events[0]["to"] == (3, 4)


@pytest.mark.parametrize("kind", sorted(OF_SERVER))
def test_no_rule_reports_what_only_the_server_does(kind: str) -> None:
    with pytest.raises(RuleBroken, match="none of which the server gives itself"):
        outcome_of(lambda player: Outcome(player, ({"type": kind},)))


def test_whatever_an_outcome_does_when_it_is_read_is_a_broken_rule() -> None:
    class Grants(tuple):  # type: ignore[type-arg]
        def __bool__(self) -> bool:
            raise SystemExit(3)

    with pytest.raises(RuleBroken, match="raised SystemExit: 3"):
        outcome_of(lambda player: Outcome(player, (), grants=Grants()))


def test_the_games_own_rules_make_nothing_else() -> None:
    assert not OF_SERVER & {"hunted", "message", "mail_returned", "season_rewarded"}
    assert play(sample_player(), "hunt", {"foe": "slime"}, rulebook=RULEBOOK).events
