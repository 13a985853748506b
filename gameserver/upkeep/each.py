"""What is due, one after another: what fails is tried again with the next round, and holds up nothing behind it."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from gameserver.rules.errors import Unavailable

T = TypeVar("T")
log = structlog.get_logger()


async def each_alone(what: str, due: Iterable[T], work: Callable[[T], Awaitable[int]]) -> int:
    """How much was done. Raises the first Unavailable once all have had their turn; other errors are logged."""
    done, away = 0, list[Unavailable]()
    for one in due:
        try:
            done += await work(one)
        except Unavailable as error:
            away.append(error)
        except Exception:
            log.exception("one of many fails, and the others go on", what=what, which=str(one)[:200])
    if away:
        raise away[0]
    return done
