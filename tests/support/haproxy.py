"""HAProxy in front of some nodes, for measuring what it costs; its configuration is the one that `up` would write."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from gameserver.config.deployment import HAProxySettings
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers.haproxy_config import first_places, render
from tests.support.wait import wait_until

PROGRAM = Path("/usr/sbin/haproxy")


class Proxy(NamedTuple):
    """Where it listens for players and for operators, and its process."""

    url: str
    pid: int
    operators_url: str


@asynccontextmanager
async def haproxy(folder: Path, settings: Settings, nodes: Sequence[int]) -> AsyncIterator[Proxy]:
    """A running proxy before nodes on these ports, whose configuration lies in `folder`."""
    section = HAProxySettings(
        port=free_port(),
        operators_port=free_port(),
        nodes=tuple(f"127.0.0.1:{node}" for node in nodes),
        places=len(nodes),
    )
    fronted = settings.model_copy(update={"haproxy": section})
    path = folder / "haproxy.cfg"
    path.write_text(render(fronted, first_places(fronted)))
    with (folder / "haproxy.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(str(PROGRAM), "-db", "-f", str(path), stdout=log, stderr=log)
    try:
        await wait_until(lambda: answers(section.port), what="HAProxy listens")
        here = "http://127.0.0.1"
        yield Proxy(f"{here}:{section.port}", process.pid, f"{here}:{section.operators_port}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def answers(port: int) -> bool:
    """Whether something listens."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
