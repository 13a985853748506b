"""`gameserver check` without databases: what it says of a game, as text and as JSON, and how it ends."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from gameserver.__main__ import cli


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new game."""
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(cli, ["new", "mygame"])
    monkeypatch.chdir(tmp_path / "mygame")
    return tmp_path / "mygame"


def check(*options: str) -> Result:
    return CliRunner().invoke(cli, ["check", *options])


def test_a_new_game_can_be_served(folder: Path) -> None:
    checked = check("--offline", "--json")
    assert checked.exit_code == 0
    assert orjson.loads(checked.output) == {"ok": True, "findings": []}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"rules:pray"', '"rules:prey"', "actions.pray: rules has no 'prey'"),
        ('"rules:pray"', '"no_such_rules:pray"', "actions.pray: can't import no_such_rules"),
        ('"rules:pray"', '"rules:Player"', "actions.pray: rules:Player is not a function"),
        ("base_hp = 65", "base_hp = 0", "classes.mage.base_hp: "),
        ("base_hp = 65", 'base_hp = 65\nretired = "yes"', "classes.mage.retired: "),
        ("[items.herb]", "[items.herb]\nretired = true", "foes.wolf.drops.0.item: the item 'herb' is retired"),
    ],
)
def test_each_fault_of_the_game_is_named_by_its_path(folder: Path, old: str, new: str, problem: str) -> None:
    game = folder / "game.toml"
    text = game.read_text("utf-8")
    assert old in text
    game.write_text(text.replace(old, new), "utf-8")
    checked = check("--offline", "--json")
    assert checked.exit_code == 1
    report = orjson.loads(checked.output)
    assert not report["ok"]
    assert report["findings"][0]["about"] == "game"
    assert report["findings"][0]["problem"].startswith(problem)
    assert problem in check("--offline").output


def test_a_game_that_is_missing_or_not_toml_is_a_finding(folder: Path) -> None:
    (folder / "game.toml").write_text("[levels", "utf-8")
    assert orjson.loads(check("--offline", "--json").output)["findings"][0]["about"] == "game"
    (folder / "game.toml").unlink()
    assert check("--offline").exit_code == 1


def test_each_word_that_cant_be_reserved_is_named_by_its_path(folder: Path) -> None:
    file = folder / "gameserver.toml"
    text = file.read_text("utf-8")
    file.write_text(text + '\n[names]\nreserved = ["Acme", "A", "no!"]\n', "utf-8")
    checked = check("--offline", "--json")
    assert checked.exit_code == 1
    report = orjson.loads(checked.output)
    assert [(finding["about"], finding["problem"].split()[:2]) for finding in report["findings"]] == [
        ("names", ["names.reserved.1:", "'A'"]),
        ("names", ["names.reserved.2:", "'no!'"]),
    ]
    file.write_text(text + '\n[names]\nreserved = ["Acme", "Hero Ledger"]\n', "utf-8")
    assert check("--offline").exit_code == 0


def test_databases_that_do_not_answer_are_a_finding(folder: Path) -> None:
    checked = check("--json")
    assert checked.exit_code == 1
    assert orjson.loads(checked.output)["findings"][0]["about"] == "databases"
