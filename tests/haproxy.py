"""HAProxy in front of some nodes, for measuring what it costs; its configuration is a minimum of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gameserver.stack.ports import free_port
from tests.wait import wait_until

HAPROXY = Path("/usr/sbin/haproxy")
CONFIGURATION = """\
global
    maxconn 8000
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend players
    bind 127.0.0.1:{port}
    use_backend sockets if {{ path /v1/socket }}
    default_backend requests
backend sockets
    balance leastconn
{servers}
backend requests
    balance roundrobin
{servers}
"""


def configuration(port: int, nodes: Sequence[int]) -> str:
    """The configuration of a proxy on `port` before nodes on these ports of this machine."""
    servers = "\n".join(f"    server node-{number} 127.0.0.1:{each}" for number, each in enumerate(nodes, 1))
    return CONFIGURATION.format(port=port, servers=servers)


@asynccontextmanager
async def haproxy(folder: Path, nodes: Sequence[int]) -> AsyncIterator[str]:
    """The address of a running proxy, whose configuration lies in `folder`."""
    port, path = free_port(), folder / "haproxy.cfg"
    path.write_text(configuration(port, nodes))
    process = await asyncio.create_subprocess_exec(str(HAPROXY), "-db", "-f", str(path))
    try:
        await wait_until(lambda: answers(port), what="HAProxy listens")
        yield f"http://127.0.0.1:{port}"
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
