"""The demo's players: loaded once, and ranked as the talk ranks them."""

import pytest

from gameserver.app import Core
from gameserver.commands import demo, operations, rankings
from gameserver.config.files import read_toml
from gameserver.rules.errors import BadInput
from gameserver.storage.operators.questions import Question
from tests.support.servers import GAME

DEMO = GAME.with_name("demo.toml")


async def test_the_demos_players_are_loaded_once_and_ranked_by_exp_and_hp(core: Core) -> None:
    names = ["A", "B", "C", "D"]
    assert list(await demo.load(core.commands.accounts, read_toml(DEMO), print)) == [(name, True) for name in names]
    assert list(await demo.load(core.commands.accounts, read_toml(DEMO), print)) == [(name, False) for name in names]
    by_exp = await rankings.rank(core.commands.operations, Question("exp", 10))
    assert [(player.name, player.exp) for player in by_exp.players] == [("B", 200), ("D", 120), ("A", 100), ("C", 50)]
    by_hp = await rankings.rank(core.commands.operations, Question("hp", 10))
    assert [(player.name, player.hp) for player in by_hp.players] == [("A", 100), ("B", 98), ("C", 70), ("D", 66)]
    assert {player.name: player.class_name for player in by_hp.players} == {
        "A": "warrior",
        "B": "fighter",
        "C": "mage",
        "D": "priest",
    }


async def test_a_demo_file_with_faults_names_each_and_loads_nobody(core: Core) -> None:
    good = {"name": "A", "class": "mage", "hp": 1, "exp": 0}
    with pytest.raises(BadInput) as refused:
        await demo.load(
            core.commands.accounts, {"players": [good, {**good, "hp": "many"}, {"name": "B"}], "colour": 1}, print
        )
    fields = {error.field for error in refused.value.errors}
    assert {"players.1.hp", "players.2.class", "players.2.hp", "players.2.exp", "colour"} == fields
    assert (await operations.stats(core.commands.operations))[0] == []
