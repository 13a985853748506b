"""A commit point outside group commit: when its database goes away, the fate of the change isn't known."""

from collections.abc import Awaitable
from typing import TypeVar

from gameserver.rules.errors import DatabaseUnavailable, OutcomeUnknown

T = TypeVar("T")


async def at_commit_point(what: str, change: Awaitable[T]) -> T:
    """Awaits a change whose commit may have taken place unseen; `what` ends "Whether … isn't known yet".

    Raises OutcomeUnknown in place of DatabaseUnavailable: the client retries under the same command id.
    """
    try:
        return await change
    except DatabaseUnavailable as error:
        raise OutcomeUnknown(f"Whether {what} isn't known yet: send it again.", retry_after=1) from error
