"""config/demo.toml: the four players of the talk are legal players of this game."""

import tomllib

from gameserver.rules.names import parse
from tests.rules.samples import RULEBOOK, START
from tests.support.repository import CONFIG


def test_the_demo_holds_the_four_players_of_the_talk_and_all_are_legal():
    demo = tomllib.loads((CONFIG / "demo.toml").read_text("utf-8"))["players"]
    made = [
        RULEBOOK.new_player(
            number, parse(entry["name"], shortest=1).shown, entry["class"], START, entry["hp"], entry["exp"]
        )
        for number, entry in enumerate(demo, 1)
    ]
    assert [(player.name, player.class_name, player.hp, player.exp, player.level) for player in made] == [
        ("A", "warrior", 100, 100, 2),
        ("B", "fighter", 98, 200, 3),
        ("C", "mage", 70, 50, 2),
        ("D", "priest", 66, 120, 2),
    ]
