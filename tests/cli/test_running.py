"""How a command's work ends."""

import subprocess
import sys

STUBBORN = """
import asyncio
from gameserver.cli import running

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def work():
    work.task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    {end}

running.END_SECONDS = 0.2
running.carry_out(work())
"""


def test_a_process_ends_although_a_task_does_not_and_says_which() -> None:
    for end in ("pass", "raise OSError('no disk')"):
        code = STUBBORN.format(end=end)
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
        assert run.returncode == 1
        assert "stubborn" in run.stderr
