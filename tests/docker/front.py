"""HAProxy on this machine with the containers' own configuration; only its addresses and its size are changed."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from gameserver.stack.processes.ports import free_port
from gameserver.stack.servers import haproxy_config
from tests.docker import files
from tests.support.wait import wait_until

QUICK = {"check inter 1s": "check inter 200ms", "timeout check 2s": "timeout check 1s"}
"""For a test that waits until a node is given up or taken again."""


@dataclass(frozen=True)
class DockerFront:
    """Where HAProxy listens."""

    players: int
    operators: int

    def url(self, door: str = "players") -> str:
        return f"http://127.0.0.1:{getattr(self, door)}"

    async def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] = {}, door: str = "players"
    ) -> tuple[HTTPResponse, bytes]:
        """One request whose path is sent as it is."""

        def ask() -> tuple[HTTPResponse, bytes]:
            connection = HTTPConnection("127.0.0.1", getattr(self, door), timeout=15)
            try:
                connection.request(method, path, headers=dict(headers))
                response = connection.getresponse()
                return response, response.read()
            finally:
                connection.close()

        return await asyncio.to_thread(ask)

    async def server_metric(self, metric: str, server: str, label: str) -> float:
        """A figure that HAProxy reports for a server of the backend `play`."""
        _, metrics = await self.ask("/metrics", door="operators")
        name = re.escape(f'{metric}{{proxy="play",server="{server}",{label}}}')
        line = re.search(rf"^{name} (\S+)$", metrics.decode(), re.MULTILINE)
        return float(line[1]) if line else 0

    async def state_is(self, server: str, state: str) -> bool:
        return await self.server_metric("haproxy_server_status", server, f'state="{state}"') == 1


def require_haproxy() -> str:
    """The program. Without it the test is skipped; under CI=true it fails."""
    program = shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")
    if program is None:
        reason = "HAProxy is not installed: docker/haproxy.cfg is not tested (apt-get install haproxy)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return program


def _configuration(front: DockerFront, nodes: Sequence[int], quick: Mapping[str, str]) -> str:
    settings = files.settings()
    changes = {
        "host": "127.0.0.1",
        "port": front.players,
        "operators_host": "127.0.0.1",
        "operators_port": front.operators,
        "nodes": tuple(f"127.0.0.1:{port}" for port in nodes),
        "connections": 200,
    }
    section = haproxy_config.section(settings).model_copy(update=changes)
    settings = settings.model_copy(update={"haproxy": section})
    text = haproxy_config.render(settings, haproxy_config.first_places(settings))
    for slow, fast in quick.items():
        assert text.count(slow) == 1, slow
        text = text.replace(slow, fast)
    return text


@asynccontextmanager
async def running(
    folder: Path, nodes: Sequence[int], quick: Mapping[str, str] = {}, wait: bool = True
) -> AsyncIterator[DockerFront]:
    """HAProxy in front of two nodes that listen on these ports of this machine; waits until one of them is ready."""
    program = require_haproxy()
    front = DockerFront(free_port(), free_port())
    configuration = folder / "haproxy.cfg"
    configuration.write_text(_configuration(front, nodes, quick), "utf-8")
    with (folder / "haproxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, "-db", "-f", configuration, stdout=log, stderr=log)

    async def is_ready() -> bool:
        assert process.returncode is None, (folder / "haproxy.log").read_text("utf-8")
        try:
            return (await front.ask("/ready"))[0].status == 200 or not wait
        except OSError:
            return False

    try:
        await wait_until(is_ready, what="HAProxy has a node")
        yield front
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
