"""Where in the source a rule stands, and where in it something went wrong: `file:line`, for the log."""

import inspect
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

_HOUSE = str(Path(__file__).parent.parent)
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def place_of(function: object) -> str:
    """Where a function begins; its name if it has no source of its own."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return repr(function) if code is None else f"{code.co_filename}:{code.co_firstlineno}"


def place_in(error: BaseException, function: object) -> str:
    """The innermost line of the game's own code that an error went through, rather than of a library that it called.

    Where that isn't known, because the error was found in what `function` returned, where the function begins.
    """
    return own_line(traceback.extract_tb(error.__traceback__)) or place_of(function)


def own_line(frames: Iterable[traceback.FrameSummary]) -> str | None:
    """The innermost line of the game's own code in a stack, None if there is none."""
    for frame in reversed([*frames]):
        if not frame.filename.startswith((_HOUSE, *_LIBRARIES, "<")):
            return f"{frame.filename}:{frame.lineno}"
    return None
