"""Where a command finds its settings, and the modules that a game names."""

import subprocess
import sys
from pathlib import Path

import pytest

from gameserver.cli import new
from gameserver.cli.config_file import settings_file
from tests.support.repository import ROOT

FAULT = "this module was found"
REPLAY = ("replay", "--game", "{game}", "--since", "2026-01-31T12:00:00Z")


def gameserver(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("gameserver")), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def written(folder: Path, name: str, port: int) -> Path:
    """A settings file of a stack whose players' door has this port."""
    file = folder / name
    file.parent.mkdir(exist_ok=True, parents=True)
    settings = new.files()["gameserver.toml"].replace("port = 8080", f"port = {port}")
    file.write_text(f"{settings}\n[haproxy]\nport = 9101\noperators_port = 9102\n", "utf-8")
    return file


def test_a_folders_own_settings_win_over_those_of_its_config_folder(tmp_path: Path) -> None:
    written(tmp_path, "config/local.toml", 9000)
    assert "127.0.0.1:9001" in gameserver("haproxy-config", cwd=tmp_path).stdout
    written(tmp_path, "gameserver.toml", 9200)
    assert "127.0.0.1:9201" in gameserver("haproxy-config", cwd=tmp_path).stdout


def test_a_folder_may_be_given_for_the_file_in_it(tmp_path: Path) -> None:
    written(tmp_path / "game", "gameserver.toml", 9000)
    assert "127.0.0.1:9001" in gameserver("haproxy-config", "--config", "game", cwd=tmp_path).stdout


def test_a_folder_without_settings_is_said_to_have_none(tmp_path: Path) -> None:
    refused = gameserver("up", cwd=tmp_path)
    assert refused.returncode == 1
    assert f"{tmp_path} has no gameserver.toml and no config/local.toml" in refused.stderr


def test_in_the_repository_the_local_settings_are_the_default() -> None:
    assert settings_file(ROOT) == ROOT / "config/local.toml"


@pytest.mark.family(1)
@pytest.mark.parametrize("place", ["beside the settings", "beside game.toml"])
@pytest.mark.parametrize("command", [("serve",), ("rank",), REPLAY], ids=" ".join)
def test_a_games_modules_are_found_by_every_command(tmp_path: Path, command: tuple[str, ...], place: str) -> None:
    settings = tmp_path / "settings" / "gameserver.toml"
    settings.parent.mkdir()
    content = new.files()
    settings.write_text(content["gameserver.toml"].replace('"game.toml"', '"../game.toml"'), "utf-8")
    (tmp_path / "game.toml").write_text(content["game.toml"], "utf-8")
    beside = settings.parent if place == "beside the settings" else tmp_path
    (beside / "rules.py").write_text(f"raise RuntimeError({FAULT!r})", "utf-8")
    words = [word.format(game=tmp_path / "game.toml") for word in command]
    refused = gameserver(*words, "--config", str(settings), cwd=Path("/"))
    assert refused.returncode == 1
    assert f"actions.pray: can't import rules: RuntimeError: {FAULT}" in refused.stderr
