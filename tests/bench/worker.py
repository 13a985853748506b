"""A process of the bench that is spoken with in lines of JSON: over its stdin and stdout."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

LONGEST_LINE = 1 << 24


class Worker:
    """A module of this folder in a process of its own."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self._name, self._process = name, process
        self.pid = process.pid

    def tell(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))

    async def hear(self) -> Any:
        """The next thing that it says; SystemExit if it has ended."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._name} has ended with exit code {await self._process.wait()}")
        return orjson.loads(line)


@asynccontextmanager
async def worker(name: str, *arguments: str) -> AsyncIterator[Worker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"tests.bench.{name}", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LONGEST_LINE,
    )  # fmt: skip
    try:
        yield Worker(name, process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def say(value: Any) -> None:
    """What a worker says."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


async def next_line() -> bytes:
    """What a worker is told; empty at the end."""
    return await asyncio.to_thread(sys.stdin.buffer.readline)
