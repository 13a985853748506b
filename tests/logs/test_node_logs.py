"""What a node writes, and that it goes on when nothing can be written."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.support.nodes import node_process
from tests.support.servers import Servers
from tests.support.wait import wait_until

OUTAGE_SECONDS = 5
"""Long enough for several tries to fail."""
MALFORMED = (
    b"GET / HTTP/1.1\r\nFoo : bar\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00",
    b"GET / HTTP/9.x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"POST /v1/players HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
)


@asynccontextmanager
async def running(settings: Settings, folder: Path) -> AsyncIterator[NodeProcess]:
    node = node_process(settings, folder, "node-1")
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


def lines(node: NodeProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in node.log.read_text().splitlines()]


def has(node: NodeProcess, event: str) -> bool:
    return any(line["event"] == event for line in lines(node))


async def metric(node: NodeProcess, name: str) -> float:
    async with aiohttp.ClientSession() as client, client.get(f"{node.address}/metrics") as answer:
        text = await answer.text()
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " "))


async def send(node: NodeProcess, data: bytes) -> None:
    reader, writer = await asyncio.open_connection(node.host, node.port)
    writer.write(data)
    await reader.read(4096)
    writer.close()


async def test_malformed_requests_write_few_lines_and_no_traceback(settings: Settings, tmp_path: Path) -> None:
    async with running(settings, tmp_path) as node:
        for _ in range(50):
            for data in MALFORMED:
                await send(node, data)
        assert "Traceback" not in node.log.read_text()
        malformed = [line for line in lines(node) if line["event"] == "malformed request"]
        assert 1 <= len(malformed) <= 3 * len(MALFORMED)
        assert {line["level"] for line in malformed} == {"warning"}
        assert all(line["node"] == node_title(settings, node) for line in lines(node))


def node_title(settings: Settings, node: NodeProcess) -> str:
    return f"{settings.node.host}:{node.port}"


async def test_an_outage_of_redis_is_told_once_and_its_end_is_told(
    servers: Servers, settings: Settings, tmp_path: Path
) -> None:
    async with running(settings, tmp_path) as node:
        pid = servers.redis.process.pid
        assert pid is not None
        before = len(lines(node))
        os.kill(pid, signal.SIGSTOP)
        try:
            await wait_until(lambda: has(node, "Redis can't be used"), 40)
            await asyncio.sleep(OUTAGE_SECONDS)
        finally:
            os.kill(pid, signal.SIGCONT)
        during = lines(node)[before:]
        await wait_until(lambda: has(node, "Redis can be used again"), 40)
        over = next(line for line in lines(node) if line["event"] == "Redis can be used again")
    assert len(during) < 30
    assert [line["event"] for line in during].count("Redis can't be used") == 1
    assert over["times"] >= 2
    assert OUTAGE_SECONDS <= over["for_seconds"] < 60


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "log"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]).returncode:
        pytest.skip("NOT TESTED: a full log disk needs root's right to mount one")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def test_a_full_log_disk_stops_no_node(settings: Settings, tmp_path: Path, small_disk: Path) -> None:
    node = node_process(settings, tmp_path, "node-1")
    node.log = node.process.log = small_disk / "node-1.log"
    node.process._log_file.path = node.log
    with pytest.raises(OSError, match="No space"):
        (small_disk / "filler").write_bytes(b"x" * 100_000)
    await node.start()
    try:
        for data in MALFORMED:
            await send(node, data)
        await wait_until(lambda: _has_dropped(node), 20)
        assert node.process.pid is not None
        (small_disk / "filler").unlink()
        await send(node, b"GET / HTTP/1.1\r\nHost: a\r\nFoo : bar\r\n\r\n")
        await node.stop()
        assert "lines couldn't be written" in node.log.read_text()
    finally:
        await node.stop()


async def _has_dropped(node: NodeProcess) -> bool:
    return await metric(node, "gameserver_log_lines_dropped_total") > 0
