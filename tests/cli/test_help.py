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


def paths(command: Any) -> Iterator[tuple[str, ...]]:
    """The words of the command itself and of all below it."""
    yield ()
    for name, below in getattr(command, "commands", {}).items():
        yield from ((name, *path) for path in paths(below))


COMMANDS = [(name, path) for name, app in APPS.items() for path in paths(get_command(app))]


@pytest.mark.family(25)
@pytest.mark.parametrize(("name", "path"), COMMANDS, ids=[" ".join((name, *path)) for name, path in COMMANDS])
def test_help_shows_no_python(name: str, path: tuple[str, ...]) -> None:
    app: typer.Typer = APPS[name]
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "(dynamic)" not in shown.output
    assert "<class" not in shown.output
    assert "function" not in shown.output


def test_every_command_was_looked_at() -> None:
    assert {"gameserver slots rebalance", "bots run"} <= {" ".join((name, *path)) for name, path in COMMANDS}
