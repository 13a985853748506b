"""What only `gameserver` itself can do to its stack: it is asked by its own command line."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress

from bots.chaos.errors import CantBeDoneError
from bots.chaos.stack import RunningStack


async def order(stack: RunningStack, words: Sequence[str], seconds: float) -> str:
    """Run a command of `gameserver` on the stack's settings, and return its output.

    Raises CantBeDoneError with what it said when it refuses, or hasn't ended after `seconds`.
    """
    process = await asyncio.create_subprocess_exec(
        *stack.command, *words, "--config", str(stack.config),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "GAMESERVER_STACK__DATA": str(stack.data)},
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        raise CantBeDoneError(f"`gameserver {' '.join(words)}` hasn't ended after {seconds:g} s") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    said = output.decode("utf-8", "replace").strip()
    if process.returncode != 0:
        raise CantBeDoneError(said.splitlines()[-1] if said else f"it ended with {process.returncode}")
    return said
