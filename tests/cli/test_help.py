"""What `--help` shows of every command."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import bots.__main__
import gameserver.__main__

APPS = {"gameserver": gameserver.__main__.cli, "bots": bots.__main__.app}


def commands(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The command itself and all below it, each with its words."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *path, name)


COMMANDS = [(name, path) for name, app in APPS.items() for path, _ in commands(get_command(app))]


@pytest.mark.family(25)
@pytest.mark.parametrize(("name", "path"), COMMANDS, ids=[" ".join((name, *path)) for name, path in COMMANDS])
def test_help_shows_no_python(name: str, path: tuple[str, ...]) -> None:
    app: typer.Typer = APPS[name]
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "(dynamic)" not in shown.output
    assert "<class" not in shown.output
    assert "function" not in shown.output


def test_every_whole_number_has_bounds() -> None:
    """Postgres and datetime refuse larger ones by their own errors."""
    numbers = [
        (" ".join(path), option.name, option.min, option.max)
        for path, command in commands(get_command(gameserver.__main__.cli))
        for option in command.params
        if option.type_descriptor.annotation in (int, int | None)
    ]
    assert len(numbers) > 20
    assert [each for each in numbers if None in each] == []


@pytest.mark.parametrize("name", [".", "..", "@ann", "a b", "a" * 65])
def test_a_new_key_has_a_name_that_may_stand_in_a_path(name: str) -> None:
    done = CliRunner().invoke(
        gameserver.__main__.cli, ["keys", "create", name, "--reason", "x"], env={"COLUMNS": "200"}
    )
    assert (done.exit_code, "the first a letter" in done.output) == (2, True), done.output


@pytest.mark.parametrize(
    "words",
    [
        ("rules", "show", "10000"),
        ("rules", "diff", "1", "0"),
        ("rules", "cancel", "--edition", "3000000000", "--reason", "x"),
        ("rules", "revert", "--in", "2592001", "--reason", "x"),
        ("rank", "--place", "9223372036854775808"),
        ("rank", "--min-level", "1000001"),
        ("campaigns", "preview", "--text", "x", "--max-level", "1000001"),
        ("slots", "cancel", "9223372036854775808", "--reason", "x"),
    ],
    ids=" ".join,
)
def test_numbers_that_http_refuses_are_refused(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(gameserver.__main__.cli, words, env={"COLUMNS": "200"})
    assert (done.exit_code, "Input should be " in done.output) == (2, True), done.output


def test_every_command_was_looked_at() -> None:
    assert {"gameserver slots rebalance", "bots run"} <= {" ".join((name, *path)) for name, path in COMMANDS}
