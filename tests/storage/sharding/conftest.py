"""Fixtures for tests of moves."""

from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from tests.storage.sharding.killed_mover import Killer
from tests.support.command_line import CommandLine
from tests.support.nodes import toml_of


@pytest.fixture
def killer(command_line: CommandLine, settings: Settings, tmp_path: Path) -> Killer:
    config = tmp_path / "mover.toml"
    config.write_text(toml_of(settings, free_port()))
    return Killer(command_line, config)
