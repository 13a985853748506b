"""A node as a process of its own, under fuzzers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from tests.fuzz.fuzzed import FuzzedNode, fuzzed_node


@pytest.fixture
async def fuzzed(settings: Settings, tmp_path: Path) -> AsyncIterator[FuzzedNode]:
    async with fuzzed_node(settings, tmp_path) as node:
        yield node
