"""One node for those tests of a file that don't care what a node holds already: a process, on its own deployment."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvloop
from pydantic import SecretStr

from gameserver.config.servers import RedisSettings
from tests.support.nodes import node_process
from tests.support.servers import Servers

REDIS_DATABASE = 1
"""Another one than that of the tests with a deployment of their own, each of which begins with an empty one."""
OWN = frozenset({"node", "core", "settings", "monkeypatch", "capsys", "capfd", "caplog"})
"""Fixtures of tests that need a node of their own: they look into it, or change the product in their process."""


def needs_its_own(request: pytest.FixtureRequest) -> bool:
    """Whether a test has such fixtures, or is marked: it counts everybody, or reads what only its process can tell."""
    return not OWN.isdisjoint(request.fixturenames) or request.node.get_closest_marker("own_node") is not None


@contextmanager
def shared_node(servers: Servers) -> Iterator[str]:
    """Its address, while it serves."""
    redis = RedisSettings(url=SecretStr(f"{servers.redis.url.rpartition('/')[0]}/{REDIS_DATABASE}"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        database = runner.run(servers.fresh())
        folder = servers.folder / f"shared-{database}"
        folder.mkdir()
        node = node_process(servers.settings(database, redis=redis), folder, "shared")
        runner.run(servers.flush(redis.url))
        runner.run(node.start())
        try:
            yield node.address
        finally:
            node.kill()
            runner.run(node.stop())
            servers.drop(database)
