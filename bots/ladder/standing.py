"""A `gameserver up` for one rung, on data of its own, and its end."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bots.chaos import stack
from bots.chaos.stack import RunningStack
from bots.ladder.rungs import Rung

START_SECONDS = 240.0
STOP_SECONDS = 120.0
POLL_SECONDS = 0.2


class RungError(Exception):
    """A rung couldn't be run; the text says why."""


def require(rung: Rung, configs: Path) -> Path:
    """The rung's settings. Raises RungError if they or a program that it needs are missing."""
    config = (configs / rung.config).resolve()
    if not config.is_file():
        raise RungError(f"there is no {config}")
    missing = [package for program, package in rung.needs.items() if _program(program) is None]
    if missing:
        raise RungError(f"it needs the package {' and '.join(missing)}")
    return config


def gameserver() -> list[str]:
    """The command beside this Python, or that of the PATH. Raises RungError when there is none."""
    beside = Path(sys.executable).with_name("gameserver")
    found = str(beside) if beside.is_file() else shutil.which("gameserver")
    if found is None:
        raise RungError("`gameserver` isn't installed here: `pip install 'heroledger[embedded]'`")
    return [found]


def environment(rung: Rung, data: Path) -> dict[str, str]:
    """What the stack and everything that is said to it have in their environment."""
    return {**os.environ, **rung.environment, "GAMESERVER_STACK__DATA": str(data)}


@asynccontextmanager
async def standing(rung: Rung, config: Path, data: Path) -> AsyncIterator[RunningStack]:
    """Runs the rung's stack while the block runs. Raises RungError when it doesn't start."""
    data.mkdir(parents=True)
    log = data.with_suffix(".log")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *gameserver(), "up", "--config", str(config), env=environment(rung, data), start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield await _ready(process, data, log)
    finally:
        await _end(process)


async def _ready(process: asyncio.subprocess.Process, data: Path, log: Path) -> RunningStack:
    with suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while process.returncode is None:
                if (found := stack.find([], data)) is not None:
                    return found
                await asyncio.sleep(POLL_SECONDS)
    said = log.read_text("utf-8", "replace").strip().splitlines()
    raise RungError(said[-1] if said and process.returncode is not None else f"it didn't start in {START_SECONDS:g} s")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
