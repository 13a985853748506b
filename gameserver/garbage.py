"""What keeps the garbage collector short: while it looks it stops the node, a millisecond for each thousand objects.

Law: an error that was answered, or that is kept as a value, holds no frames. A frame holds what it worked with, often
the error itself: a ring that only the collector can free. Each refusal left forty objects, and whenever enough of them
had come together the node stopped for a tenth of a second.
"""

import gc
from typing import TypeVar

YOUNG_OBJECTS = 10_000
"""New objects between two runs: Python's 700 cost a busy node an eighth of its time, 50,000 stop it for 80 ms."""

ErrorT = TypeVar("ErrorT", bound=BaseException)


def without_frames(error: ErrorT) -> ErrorT:
    """The error without the frames that it came through, and without what it was raised in place of."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def settle() -> None:
    """Whatever exists by now stays: the collector never looks at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
