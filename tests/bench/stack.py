"""A stack on fresh embedded servers, for one measurement."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gameserver.config.settings import Settings, load
from gameserver.stack.processes.child import Child
from gameserver.stack.servers.node import NodeProcess
from gameserver.stack.up import nodes, servers
from gameserver.storage.sharding import provision


@asynccontextmanager
async def running(config: Path) -> AsyncIterator[tuple[Settings, Path, Sequence[NodeProcess]]]:
    """The settings, the data folder and the nodes of a stack that runs; everything is deleted at the end."""
    Path("var").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir="var"))
    folder.chmod(0o755)
    os.environ["GAMESERVER_STACK__DATA"] = str(folder.resolve())
    settings = load(config)
    below, above = servers(settings), nodes(settings, config)
    for name in ("log", "run"):
        (folder / name).mkdir()
    started: list[Child] = []
    try:
        for child in below:
            await child.start()
            started.append(child)
        await provision.migrate(settings)
        for node in above:
            await node.start()
            started.append(node)
        yield settings, folder, above
    finally:
        for child in reversed(started):
            await child.stop()
        shutil.rmtree(folder, ignore_errors=True)
