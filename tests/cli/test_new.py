"""`gameserver new`: what it writes, and what it refuses."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gameserver.__main__ import cli
from gameserver.cli import new
from gameserver.config.settings import load
from gameserver.rules.game import Game
from tests.support.repository import CONFIG

FILES = {".gitignore", "README.md", "demo.toml", "game.toml", "gameserver.toml", "rules.py"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_game_has_its_files_and_says_what_comes_next(folder: Path) -> None:
    made = CliRunner().invoke(cli, ["new", "mygame"])
    assert made.exit_code == 0
    assert {path.name for path in (folder / "mygame").iterdir()} == FILES
    assert "cd mygame" in made.output
    assert "gameserver up" in made.output


def test_its_game_is_the_repositorys_with_one_action_of_its_own(folder: Path) -> None:
    CliRunner().invoke(cli, ["new", "mygame"])
    game = Game.parse(load(folder / "mygame" / "gameserver.toml").game_mapping())
    ours = Game.parse(tomllib.loads((CONFIG / "game.toml").read_text("utf-8")))
    assert dict(game.actions) == {**ours.actions, "pray": "rules:pray"}


def test_an_empty_folder_is_filled(folder: Path) -> None:
    (folder / "mygame").mkdir()
    assert CliRunner().invoke(cli, ["new", "mygame"]).exit_code == 0
    assert {path.name for path in (folder / "mygame").iterdir()} == FILES


def test_a_folder_with_something_in_it_is_left_as_it_is(folder: Path) -> None:
    (folder / "mygame").mkdir()
    (folder / "mygame" / "notes").write_text("mine", "utf-8")
    refused = CliRunner().invoke(cli, ["new", "mygame"])
    assert refused.exit_code == 1
    assert "mygame/ isn't empty" in refused.output
    assert [path.name for path in (folder / "mygame").iterdir()] == ["notes"]


def test_a_file_of_the_name_is_refused(folder: Path) -> None:
    (folder / "mygame").write_text("mine", "utf-8")
    assert CliRunner().invoke(cli, ["new", "mygame"]).exit_code == 1
    assert (folder / "mygame").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../mygame", "a/b", "-", "_game", "my game", "my.game", "a" * 65, "게임"]
)
def test_a_name_that_is_no_plain_folder_is_refused(folder: Path, name: str) -> None:
    refused = CliRunner().invoke(cli, ["new", "--", name])
    assert refused.exit_code == 2
    assert not any(folder.iterdir())


def test_what_a_new_game_begins_with_is_found_in_the_checkout() -> None:
    assert new.packaged("demo.toml") == CONFIG / "demo.toml"
    assert new.packaged("rules.py").is_file()
