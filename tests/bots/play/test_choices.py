"""What a bot does follows from its state and from what the server says it offers."""

from random import Random
from typing import Any

import pytest

from bots.load.hunter import Hunter
from bots.play import arguments
from bots.play.catalogue import Catalogue, parse_actions, parse_boards, parse_names
from bots.play.choices import Chooser
from bots.play.habits import READS, weigh
from bots.wire.bodies import State

NAME = {"type": "string", "maxLength": 32}
ACTIONS = parse_actions(
    {
        "actions": [
            {"name": "hunt", "args": {"properties": {"foe": NAME}, "required": ["foe"]}},
            {"name": "rest", "args": {"properties": {}}},
            {"name": "heal", "args": {"properties": {}}},
            {"name": "revive", "args": {"properties": {}}},
            {"name": "change_class", "args": {"properties": {"class_name": NAME}, "required": ["class_name"]}},
            {"name": "pray", "args": {"properties": {"to": NAME}, "required": ["to"]}},
        ]
    }
)
WORDS = {"foe": ("slime", "wolf"), "class_name": ("mage", "priest")}
CATALOGUE = Catalogue(ACTIONS, ("mage", "priest"), (), ("slime", "wolf"), WORDS)


def unknown(_argument: str) -> tuple[str, ...]:
    return ()


def player(hp: int) -> State:
    return State(3, "mage", 1, hp, 100, 40)


def chosen(hp: int, seed: int = 1) -> list[str]:
    chooser = Chooser(CATALOGUE, Random(seed))
    return [chooser.choose(player(hp)).name for _ in range(500)]


def test_a_player_that_is_down_mostly_revives() -> None:
    acts = [name for name in chosen(hp=0) if name not in READS]
    assert acts.count("revive") > 0.9 * len(acts)


def test_a_healthy_player_mostly_hunts_and_seldom_rests() -> None:
    acts = chosen(hp=100)
    assert acts.count("hunt") > 300
    assert acts.count("rest") < 20


def test_now_and_then_a_choice_is_one_that_a_rule_refuses() -> None:
    assert "revive" in chosen(hp=100)


def test_the_same_seed_makes_the_same_choices() -> None:
    assert chosen(100, seed=5) == chosen(100, seed=5) != chosen(100, seed=6)


def test_an_action_whose_arguments_are_unknown_is_left_alone() -> None:
    assert "pray" not in chosen(hp=100)


def test_an_unknown_action_without_arguments_is_tried() -> None:
    assert weigh("dance", player(50)) > 0


@pytest.mark.parametrize(
    ("schema", "drawn"),
    [
        ({"enum": ["ogre"]}, "ogre"),
        ({"const": 4}, 4),
        ({"type": "integer", "minimum": 3, "maximum": 3}, 3),
        ({"$ref": "#/$defs/Foe"}, "wolf"),
        ({"anyOf": [{"$ref": "#/$defs/Foe"}, {"type": "null"}]}, "wolf"),
    ],
)
def test_arguments_are_drawn_from_the_schema(schema: dict[str, Any], drawn: object) -> None:
    whole = {"properties": {"of": schema, "more": {}}, "required": ["of"], "$defs": {"Foe": {"enum": ["wolf"]}}}
    assert arguments.draw(arguments.required(whole), unknown, Random(1)) == {"of": drawn}


def test_a_schema_whose_references_form_a_circle_is_given_up() -> None:
    whole = {"properties": {"of": {"$ref": "#/$defs/A"}}, "required": ["of"], "$defs": {"A": {"$ref": "#/$defs/A"}}}
    with pytest.raises(arguments.CannotFillError):
        arguments.required(whole)


def test_boards_and_classes_are_read_by_their_names() -> None:
    boards = parse_boards({"boards": [{"name": "exp", "class": None}, {"name": "m", "class": "mage"}]}, ["mage"])
    assert [(board.name, board.class_name) for board in boards] == [("exp", None), ("m", "mage")]
    assert parse_names({"classes": [{"name": "mage"}, {"name": "priest"}]}, "classes") == ["mage", "priest"]


def test_a_hunter_rests_when_weak_and_revives_when_down() -> None:
    hunter = Hunter()
    assert {hunter.next() for _ in range(4)} == {"hunt"}
    hunter.answered(b'{"player":{"id":"1","hp":20},"events":[{"hp":99}]}')
    assert {hunter.next() for _ in range(4)} == {"hunt", "rest"}
    hunter.refused("player_is_down")
    assert hunter.next() == "revive"
