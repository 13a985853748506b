"""What a command may say when something fails after its change was committed."""

import contextlib
from collections.abc import Iterator

from gameserver.rules.errors import OutcomeUnknown, Unavailable


@contextlib.contextmanager
def after_commit(told: str) -> Iterator[None]:
    """Around what follows a commit: `told` says what has been committed, what may be missing, and what to do.

    Other errors that are Unavailable promise that nothing has changed. Raises OutcomeUnknown in place of them.
    """
    try:
        yield
    except Unavailable as error:
        raise OutcomeUnknown(told, retry_after=error.retry_after or 1) from error
