"""What is repeated while a database can't be used: for commands of operators, who would only begin again themselves."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gameserver.rules.errors import DatabaseUnavailable, Overloaded

T = TypeVar("T")
Tell = Callable[[str], None]
"""Is told what is waited for, a sentence."""
PATIENCE_SECONDS = 60.0
"""How long a step is repeated."""
PAUSE_SECONDS = 1.0
"""The longest before a repetition, and at least half of it: two loads don't meet again and again."""


async def repeated(step: Callable[[], Awaitable[T]], tell: Tell) -> T:
    """What a step gives, which may be carried out again under the same command ids: it takes effect once.

    Tells what it waits for, once for each reason. Raises DatabaseUnavailable or Overloaded when its patience is over.
    """
    until, told = time.monotonic() + PATIENCE_SECONDS, ""
    while True:
        try:
            return await step()
        except (DatabaseUnavailable, Overloaded) as error:
            if time.monotonic() > until:
                raise
            if error.detail != told:
                tell(f"Waiting, for {PATIENCE_SECONDS:.0f} s at the most: {error.detail}")
                told = error.detail
        await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.5, 1))  # noqa: S311 (nobody gains by guessing it)
