"""What commands print is whole at 80 columns: ids, times and paths are never cut or broken; and JSON for programs."""

import io
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from gameserver.cli import tables
from gameserver.commands.results import Holding, Ranking
from gameserver.config.settings import Settings
from gameserver.rules.levels import EXP_CAP
from gameserver.rules.player import Player
from gameserver.rules.rulebook import Rulebook
from gameserver.stack.fleet.overview import overview
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.node import NodeProcess
from gameserver.storage.operators.survey import GroupUsage
from gameserver.storage.sharding.provision import Migrated, MigrationStep
from gameserver.terminal import grid, show
from tests.support.command_line import WIDTH, CommandLine
from tests.support.deployment import connected
from tests.support.nodes import toml_of
from tests.support.servers import Servers

NOW = datetime(2026, 11, 28, 12, 0, 0, 123000, UTC)


def printed(table: Table, width: int = WIDTH) -> list[str]:
    out = io.StringIO()
    show(Console(file=out, width=width), table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("name", ["A", "漢" * 24, "M" * 24, "x y z w " * 3])
def test_a_rank_has_its_whole_id_and_fits_whatever_the_names_are(settings: Settings, name: str) -> None:
    game = Rulebook.parse(settings.game_mapping()).game
    ids = [9_223_372_036_854_775_807, 252302456887831655]
    players = [Player(number, name, "fighter", 1, 100, EXP_CAP, 1, NOW, NOW) for number in ids]
    lines = printed(tables.ranking(Ranking(players, more=False, as_of=NOW), game))
    assert max(map(cell_len, lines)) <= WIDTH
    for number in ids:
        assert [str(number) in line.split() for line in lines].count(True) == 1
    assert "as of 2026-11-28T12:00:00.123Z" in lines


def test_the_status_of_slots_fits_with_large_numbers() -> None:
    shares = [GroupUsage(group, 4096, 10**13, 10**9) for group in ("accounts", "items", "players")]
    holdings = [Holding("database-1", "primary", 10**8, shares), Holding("database-2", "replica"), Holding("x", "away")]
    lines = printed(tables.holdings(holdings, holdings, 2.0))
    assert max(map(cell_len, lines)) <= WIDTH


def test_a_value_that_is_wider_than_the_terminal_is_printed_whole() -> None:
    table = grid("name", "path", folded=("name",))
    path = "/a/very/long/path" * 12
    table.add_row("a name that may be folded because it is long", path)
    assert [path in line for line in printed(table)].count(True) == 1


def test_an_overview_has_the_whole_path_of_every_log(tmp_path: Path) -> None:
    log = tmp_path / ("a-folder-with-a-long-name-" * 4) / "node-1.log"
    node = NodeProcess(name="node-1", argv=[], host="127.0.0.1", port=65535, run=tmp_path, log=log)
    servers, logs = (printed(table) for table in overview([node]))
    assert max(map(cell_len, servers)) <= WIDTH
    assert logs[1].split() == ["node-1", min(str(log), os.path.relpath(log), key=len)]


def test_a_migration_says_what_it_did() -> None:
    steps = [MigrationStep("players", "one", None, "players_0009"), MigrationStep("items", "one", "items_1", "items_1")]
    assert tables.migrated(Migrated(steps, {"players": 64, "items": 0})) == [
        "one: the tables of players are now at players_0009 (before: none).",
        "64 slots of players were given to databases.",
    ]


async def answered(command_line: CommandLine, config: Path, *words: str) -> str:
    done = await command_line.gameserver(*words, "--config", str(config))
    assert done.code == 0, done.text
    return done.out


async def test_every_question_answers_at_80_columns_and_as_json(
    command_line: CommandLine, settings: Settings, tmp_path: Path
) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))
    await answered(command_line, config, "demo")
    keys: dict[tuple[str, ...], Any] = {
        ("rank",): {"entries", "as_of", "next_cursor"},
        ("slots", "status"): {"group", "database", "role", "slots", "players", "bytes", "writes_per_second", "share"},
        ("databases", "list"): {"group", "database", "slots", "draining"},
        ("seasons", "list"): {"board", "began", "ends", "state", "players"},
    }
    for words, expected in keys.items():
        answer = json.loads(await answered(command_line, config, *words, "--json"))
        for entry in answer if isinstance(answer, list) else [answer]:
            assert set(entry) == expected
        lines = (await answered(command_line, config, *words)).splitlines()
        assert max(cell_len(line.rstrip()) for line in lines) <= WIDTH


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_database_that_is_away_is_named_by_slots_status_and_its_exit_code(
    command_line: CommandLine, settings: Settings, tmp_path: Path, as_json: bool
) -> None:
    config = tmp_path / "gameserver.toml"
    of_two = urlsplit(settings.database_url("two").get_secret_value())
    nowhere = of_two.netloc.replace(str(of_two.port), str(free_port()))
    config.write_text(toml_of(settings, settings.node.port).replace(of_two.netloc, nowhere))
    words = ["slots", "status", *(["--json"] if as_json else [])]
    done = await command_line.gameserver(*words, "--config", str(config))
    assert (done.code, "Away: two." in done.text) == (1, True), done.text
    if as_json:
        assert {(row["database"], row["role"]) for row in json.loads(done.out)} == {("one", "primary"), ("two", "away")}


@pytest.fixture
async def empty(servers: Servers) -> AsyncIterator[Settings]:
    """Databases without tables."""
    database = await servers.bare()
    yield servers.settings(database)
    servers.drop(database)


async def test_migrate_tells_what_it_did_and_then_that_there_is_nothing_to_do(
    command_line: CommandLine, empty: Settings, tmp_path: Path
) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(empty, empty.node.port))
    first, second = [await answered(command_line, config, "migrate") for _ in range(2)]
    (entry,) = json.loads(await answered(command_line, config, "audit", "--json"))["entries"]
    assert (entry["action"], entry["target"], entry["ended"]) == ("migrate", "databases", "done")
    assert entry["details"]["tables"]["two: players"].startswith("nothing to players_")
    assert entry["details"]["slots"]["items"] == 64
    for words in ("one: the tables of control are now", "two: the tables of players are now", "64 slots of items"):
        assert words in first
    assert second.startswith("Nothing to do: the tables of 2 databases are up to date")


async def test_a_migration_that_ends_half_way_is_recorded_with_what_it_did(
    command_line: CommandLine, empty: Settings, tmp_path: Path
) -> None:
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(empty, empty.node.port))
    async with connected(empty.database_url("two")) as connection:
        await connection.execute("create table players (x int)")
    ended = await command_line.gameserver("migrate", "--config", str(config))
    assert ended.code == 1
    async with connected(empty.database_url("two")) as connection:
        await connection.execute("drop table players")
    assert "two: the tables of players are now" in await answered(command_line, config, "migrate")
    last, first = json.loads(await answered(command_line, config, "audit", "--json"))["entries"]
    assert [entry["ended"] for entry in (first, last)] == ["internal", "done"]
    assert first["details"]["tables"]["one: control"].startswith("nothing to control_")
    assert "two: players" not in first["details"]["tables"]
    assert last["details"]["tables"]["two: players"].startswith("nothing to players_")
