"""What is said of a commit whose fate isn't known, by what it was to do.

Law: OutcomeUnknown is said only where something that was asked for may have taken effect. Storage raises it for a
commit that was sent and not answered for sure, and DatabaseUnavailable or Overloaded where nothing was written, so the
latter pass as they are. A commit before the commit point, such as that of a claim, has no effect that anybody sees
until another one follows.
"""

import contextlib
from collections.abc import Awaitable, Iterator
from typing import TypeVar

from gameserver.rules.errors import DatabaseUnavailable, OutcomeUnknown

T = TypeVar("T")


async def at_commit_point(what: str, change: Awaitable[T]) -> T:
    """Awaits a change whose commit may have taken place unseen; `what` ends "Whether … isn't known yet".

    Raises OutcomeUnknown: the client retries under the same command id.
    """
    try:
        return await change
    except OutcomeUnknown as error:
        raise OutcomeUnknown(f"Whether {what} isn't known yet: send it again.", retry_after=1) from error


@contextlib.contextmanager
def before_commit_point() -> Iterator[None]:
    """Around what is written in advance of a change, and undone if the change never follows.

    Raises DatabaseUnavailable in place of OutcomeUnknown: the change can't take effect any more.
    """
    try:
        yield
    except OutcomeUnknown as error:
        raise DatabaseUnavailable(
            "What comes before it isn't sure: nothing has changed, send it again.", retry_after=1
        ) from error
