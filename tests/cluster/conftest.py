"""Bots that play on the nodes of a test."""

import pytest

from tests.cluster.swarm import Bots
from tests.support.command_line import CommandLine


@pytest.fixture
def bots(command_line: CommandLine) -> Bots:
    return Bots(command_line)
