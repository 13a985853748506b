"""The bench measures what it says: doors of a running node, raw limits beside them, and flaws that it doesn't hide."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bots.wire.connecting import Endpoint
from gameserver.config.settings import Settings
from gameserver.stack.processes.child import Child
from tests.bench.compare import compared
from tests.bench.crowd import Asker
from tests.bench.line import Line, RawLimit, show
from tests.bench.processor import seconds_of
from tests.bench.report import read, write
from tests.bench.session import Effort, session
from tests.bench.stack import Stack
from tests.support.nodes import node_process
from tests.support.servers import Servers
from tests.support.wait import wait_until

LINE = Line("read-http", "direct", 2, 0, 64, 30_000, 1000.0, 1.0, 2.0, {"node": 50.0, "generator": 10.0}, 0.3)
COSTS = {"node", "postgres", "redis", "generator"}


@pytest.fixture
async def stack(servers: Servers, settings: Settings, tmp_path: Path) -> AsyncIterator[Stack]:
    """One node as a process, on the servers of the tests."""
    node = node_process(settings, tmp_path, "node-1")
    async with AsyncExitStack() as closing:
        await node.start()
        closing.push_async_callback(node.stop)
        below: list[Child] = [*servers.postgres.values(), servers.redis]
        yield Stack(tmp_path / "node-1.toml", settings, tmp_path, below, [node], [node.port])


async def test_doors_are_measured_with_what_an_answer_costs_and_beside_their_raw_limits(stack: Stack) -> None:
    async with session(stack, Effort(loaded=0, crowd=4, proxied=False, warm_up=0.1)) as measured:
        for door in ("sign-up", "act-http", "read-http"):
            await measured.measure(door, [4], 0.5)
    assert [line.door for line in measured.lines] == ["sign-up", "act-http", "read-http"]
    for line in measured.lines:
        assert not line.flaws(), line
        assert line.per_second > 0 < line.p50_ms <= line.p99_ms
        assert set(line.cpu_us) >= COSTS, line
    limits = [line.raw.name for line in measured.lines if line.raw is not None and line.raw.per_second > 0]
    assert limits == ["sign-ups in batches", "acts in batches", "bare handler"]


async def test_a_kept_connection_that_the_node_has_ended_is_opened_anew() -> None:
    ended = asyncio.Queue[None]()

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        ended.put_nowait(None)

    async with await asyncio.start_server(answer_once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        asker = await Asker.open(Endpoint.parse(f"http://127.0.0.1:{port}"))
        for _ in range(3):
            assert await asker.ask("GET", "/") == (200, {})
            await ended.get()
            await wait_until(lambda: not asker.is_open, 5, "the end arrives")
        asker.close()


def test_errors_are_a_flaw_and_a_rules_refusals_are_not() -> None:
    assert replace(LINE, errors={"http_503": 3}).flaws() == ["3 http_503"]
    assert not replace(LINE, refused={"player_is_down": 3}).flaws()


def test_a_line_without_an_answer_or_with_a_busy_generator_is_marked() -> None:
    assert replace(LINE, per_second=0.0).flaws() == ["no answer"]
    assert replace(LINE, generator_share=0.95).flaws() == ["the generator is the bottleneck"]
    assert not LINE.flaws()


def text_of(lines: list[Line]) -> str:
    text = StringIO()
    show(Console(width=200, file=text), lines)
    return text.getvalue()


def test_a_flawed_rate_stands_in_brackets() -> None:
    assert " 1,000 " in text_of([LINE])
    assert "(1,000)" in text_of([replace(LINE, errors={"http_500": 1})])


def test_a_raw_limit_that_had_no_answer_says_so() -> None:
    assert " no answer " in text_of([replace(LINE, raw=RawLimit("bare handler", 0.0, {}))])


def test_figures_come_back_from_their_file(tmp_path: Path) -> None:
    lines = [replace(LINE, raw=RawLimit("bare handler", 3000.0, {"node": 20.0})), replace(LINE, door="doctor")]
    write(tmp_path / "a.json", Path("config/one.toml"), 3.0, lines)
    assert read(tmp_path / "a.json") == lines


def test_ratios_are_of_the_same_load_and_never_of_flawed_figures() -> None:
    later = replace(LINE, per_second=2000.0, cpu_us={"node": 25.0, "generator": 10.0})
    table = compared([LINE, replace(LINE, connections=256)], [later])
    assert table.row_count == 1
    assert "2.00" in [*table.columns[5].cells]
    assert "0.50" in [*table.columns[8].cells]
    brief = compared([replace(LINE, answers=100)], [replace(later, answers=100)])
    assert "0.50" not in [*brief.columns[8].cells], "of a few ticks"
    flawed = compared([LINE], [replace(later, errors={"http_503": 1})])
    assert not any("2.00" in str(cell) for column in flawed.columns for cell in column.cells)


def test_processor_time_is_that_of_a_process_and_its_descendants() -> None:
    before = seconds_of({"own": [os.getpid()]})["own"]
    spin = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", spin], check=True)
    assert seconds_of({"own": [os.getpid()]})["own"] - before >= 0.25
