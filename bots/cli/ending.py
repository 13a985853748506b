"""How a command runs and ends: its exit codes, its one sentence for an error, and its JSON."""

import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Never, TypeVar

import orjson
import typer
import uvloop

from bots.conducting.conductor import PartFailedError
from bots.conducting.part import ConductorLeftError
from bots.wire.errors import BadAnswerError, UnreachableError

NOT_OK, GAVE_UP, SAW_ERRORS, MISSED, VOID = 1, 2, 3, 4, 5
"""Exit codes."""

Returned = TypeVar("Returned")


def read_key(path: Path) -> str:
    """Read the admin key; ends the command if it can't be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        give_up(f"can't read the admin key: {error} (the first `make run` creates it)")


def carry_out(command: Coroutine[Any, Any, Returned], has_begun: Callable[[], bool] = lambda: False) -> Returned:
    """Run a command's coroutine; an error that a user can cause ends the command with one sentence.

    The exit code is GAVE_UP if nothing was run: NOT_OK once `has_begun`.
    """
    try:
        return uvloop.run(command)
    except (UnreachableError, BadAnswerError, OSError, PartFailedError, ConductorLeftError, KeyboardInterrupt) as error:
        reason = _told(error)
        if has_begun():
            break_off(f"the run was broken off, so nothing is proved: {reason}")
        give_up(reason)


def _told(error: BaseException) -> str:
    match error:
        case UnreachableError():
            return f"{error}; is the server up (`make run`), and is --url right?"
        case ConductorLeftError():
            return "the process that conducts this part has ended"
        case KeyboardInterrupt():
            return "interrupted"
    return str(error) or type(error).__name__


def break_off(reason: str) -> Never:
    """End the command with a sentence and the exit code NOT_OK: something was run, and isn't proved or written down."""
    print(f"bots: {reason}", file=sys.stderr)
    raise typer.Exit(NOT_OK)


def give_up(reason: str) -> Never:
    """End the command with a sentence and the exit code GAVE_UP."""
    print(f"bots: {reason}", file=sys.stderr)
    raise typer.Exit(GAVE_UP)


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """End the command with one sentence if what came of it can't be written, as on a full disk."""
    try:
        yield
    except OSError as error:
        break_off(f"{path} couldn't be written: {error.strerror or error}")


def write(path: str | None, value: Any) -> None:
    """Write a value as JSON to a file, or to stdout for `-`; ends the command if that fails."""
    if path is None:
        return
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"
    with writing(path):
        if path == "-":
            print(text.decode(), end="", flush=True)
        else:
            Path(path).write_bytes(text)
