"""`gameserver slots check`, `reconcile` and `accept` after a database went back in time, and how commands end."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.command_line import CommandLine
from tests.support.deployment import connected, enlist
from tests.support.nodes import toml_of

BACK = "update players_lineage set timeline = timeline + 1"


async def test_what_went_back_is_shown_opened_and_decided_by_commands(
    command_line: CommandLine, settings: Settings, tmp_path: Path
) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))

    async def slots(*words: str) -> tuple[int, str]:
        done = await command_line.gameserver("slots", *words, "--config", str(config))
        return done.code, done.text

    assert await slots("check") == (0, "Every database owns what the map says.\n")
    async with connected(settings.database_url("one")) as one, connected(settings.database_url("two")) as two:
        # Database two forgets that it gave slot 40 to one, and that it got slot 41 from there.
        await one.execute("update slots set database = 'one', epoch = 3 where slot = 40 and \"group\" = 'players'")
        await one.execute("insert into players_owned_slots (slot, owned, epoch) values (40, true, 3)")
        await one.execute("update slots set epoch = 5 where slot = 41 and \"group\" = 'players'")
        await two.execute("update players_owned_slots set owned = false where slot = 41")
        await two.execute(BACK)
        code, found = await slots("check", "--json")
        assert code == 1
        assert {(row["about"], row["slots"], row["what"]) for row in json.loads(found)} == {
            ("two", "", "closed"), ("players", "40", "released"), ("players", "41", "conflict"),
        }  # fmt: skip
        code, done = await slots("reconcile", "--reason", "two went back")
        assert code == 1, "slot 41 is a conflict"
        assert "open again" in done
        owned = "select array_agg(slot order by slot) from players_owned_slots where owned and slot in (40, 41)"
        assert [await one.fetchval(owned), await two.fetchval(owned)] == [[40], None]
        assert (await slots("accept", "40", "--owner", "two", "--reason", "a guess"))[0] == 1
        assert (await slots("accept", "41", "--owner", "two", "--reason", "it has them"))[0] == 0
        assert await two.fetchval(owned) == [41]
        audited = "select array_agg(target || ': ' || reason order by id) from audit where action = 'slots_reconcile'"
        assert await one.fetchval(audited) == ["two: two went back", "players to two: it has them"]
    assert (await slots("check"))[0] == 0


@pytest.mark.parametrize(
    "words",
    [("slots", "move", "{slot}", "--to", "two"), ("slots", "rebalance", "--group", "players"), ("slots", "resume")],
    ids=["move", "rebalance", "resume"],
)
async def test_a_command_that_moves_slots_ends_with_1_if_one_of_them_stays(
    core: Core, command_line: CommandLine, settings: Settings, tmp_path: Path, words: tuple[str, ...]
) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))
    (slot,) = moving.slot_with([await enlist(core, database="one")])
    async with connected(settings.database_url("one")) as one, connected(settings.database_url("two")) as two:
        await two.execute(moving.SPOIL)
        if "rebalance" in words:
            everything = "update members set draining = (database = 'one') where \"group\" = 'players'"
            await one.execute(everything)
        if "resume" in words:
            plans = await sharding.plan_move(core.sharding, "players", [slot], "two")
            await core.sharding.moves.order(plans, command_id())
    given = [word.format(slot=slot) for word in words]
    done = await command_line.gameserver(*given, "--reason", "a test", "--config", str(config))
    assert (done.code, "stayed on one" in " ".join(done.text.split())) == (1, True), done.text


@pytest.mark.parametrize("command", ["check", "reconcile"])
async def test_a_database_that_was_not_asked_is_named_and_ends_the_command_with_1(
    command_line: CommandLine, settings: Settings, tmp_path: Path, command: str
) -> None:
    config = tmp_path / "gameserver.toml"
    of_two = urlsplit(settings.database_url("two").get_secret_value())
    nowhere = of_two.netloc.replace(str(of_two.port), str(free_port()))
    config.write_text(toml_of(settings, settings.node.port).replace(of_two.netloc, nowhere))
    reason = ["--reason", "a test"] if command == "reconcile" else []
    done = await command_line.gameserver("slots", command, "--json", *reason, "--config", str(config))
    assert [(row["about"], row["what"]) for row in json.loads(done.out)] == [("two", "not asked")]
    assert done.code == 1
