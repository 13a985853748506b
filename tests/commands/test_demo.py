"""The demo's players: loaded once, also through an outage, and ranked as the talk ranks them."""

import asyncio

import pytest
from pydantic import SecretStr

from gameserver.app import Core, open_core
from gameserver.commands import crowd, demo, operations, rankings, repeating
from gameserver.commands.crowd import LoadProgress
from gameserver.config.files import read_toml
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import BadInput, DatabaseUnavailable, OutcomeUnknown
from gameserver.storage.operators.questions import Question
from tests.support.servers import GAME
from tests.support.wait import wait_until
from tests.support.wires import Wire, wire_to

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


async def test_a_load_waits_for_a_database_that_falls_silent_says_so_and_makes_each_player_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "CHUNK", 50)
    told: list[str] = []

    async def open_when_told(wire: Wire) -> None:
        waits = "Waiting, for 60 s at the most: "
        try:
            await wait_until(
                lambda: any("The database two " in sentence for sentence in told), 30, "it says who is away"
            )
            # A transaction whose commit was under way as the wire was cut has another reason at first.
            reasons = (f"{waits}The database two ", f"{waits}{OutcomeUnknown().detail}")
            assert all(sentence.startswith(reasons) for sentence in told), told
        finally:
            wire.open()
        told.clear()

    async with wire_to(settings.database_url("two").get_secret_value()) as wire:
        wire.open()
        two = DatabaseSettings(url=SecretStr(wire.url), allow_unsafe=True)
        async with open_core(settings.model_copy(update={"databases": {**settings.databases, "two": two}})) as core:
            accounts, total = core.commands.accounts, LoadProgress()
            async for progress in crowd.load(accounts, core.commands.leaderboards, 300, told.append):
                if total.done == 0:  # chunks are under way, and others are to come
                    wire.silence()
                    opening = asyncio.create_task(open_when_told(wire))
                total = progress
            await opening
            assert total == LoadProgress(made=300)
            # The same of a file's players.
            wire.silence()
            few, opening = demo.load(accounts, read_toml(DEMO), told.append), asyncio.create_task(open_when_told(wire))
            assert [is_new for _, is_new in await few] == [True] * 4
            await opening
            assert sum(count.players for count in (await operations.stats(core.commands.operations))[0]) == 304


async def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise DatabaseUnavailable("The database two does not answer.")

    told: list[str] = []
    monkeypatch.setattr(repeating, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(repeating, "PAUSE_SECONDS", 0.05)
    with pytest.raises(DatabaseUnavailable):
        await repeating.repeated(fail, told.append)
    assert len(told) == 1


async def test_a_demo_file_with_faults_names_each_and_loads_nobody(core: Core) -> None:
    good = {"name": "A", "class": "mage", "hp": 1, "exp": 0}
    with pytest.raises(BadInput) as refused:
        await demo.load(
            core.commands.accounts, {"players": [good, {**good, "hp": "many"}, {"name": "B"}], "colour": 1}, print
        )
    fields = {error.field for error in refused.value.errors}
    assert {"players.1.hp", "players.2.class", "players.2.hp", "players.2.exp", "colour"} == fields
    assert (await operations.stats(core.commands.operations))[0] == []
