"""A node of `up`: what another process listens on is said before anything is started."""

import os
import socket
from pathlib import Path

import pytest

from gameserver.config.settings import load
from gameserver.stack.errors import StackError
from gameserver.stack.processes.ports import free_port
from gameserver.stack.up import nodes
from tests.support.repository import CONFIG


@pytest.mark.parametrize(
    ("listens", "taken", "setting"),
    [(None, 2, "node.port"), ("port", 2, "node.port"), ("127.0.0.1:{}", 4, "node.operators_listen")],
    ids=["operators on its own port", "operators on the players' port", "operators elsewhere"],
)
async def test_every_port_that_a_node_listens_on_is_looked_at(
    tmp_path: Path, listens: str | None, taken: int, setting: str
) -> None:
    first = free_port(5)
    file = tmp_path / "local.toml"
    file.write_text((CONFIG / "local.toml").read_text("utf-8"), "utf-8")
    settings = load(file)
    apart = None if listens is None else listens.format(first + 3)
    node = settings.node.model_copy(update={"port": first, "operators_listen": apart})
    stack = settings.stack.model_copy(update={"nodes": 2})
    one, two = nodes(settings.model_copy(update={"node": node, "stack": stack}), file)
    with socket.create_server(("127.0.0.1", first + taken)):
        await one.check()
        with pytest.raises(StackError, match=rf"Port {first + taken} .* process {os.getpid()} .* as {setting}"):
            await two.check()
    await two.check()
