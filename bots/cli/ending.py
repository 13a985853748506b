"""How a command runs and ends: its exit codes, its one sentence for an error, and its JSON."""

import sys
from collections.abc import Coroutine
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


def carry_out(command: Coroutine[Any, Any, Returned]) -> Returned:
    """Run a command's coroutine; an error that a user can cause ends the command with one sentence."""
    try:
        return uvloop.run(command)
    except UnreachableError as error:
        give_up(f"{error}; is the server up (`make run`), and is --url right?")
    except (BadAnswerError, OSError) as error:
        give_up(str(error) or type(error).__name__)
    except (PartFailedError, ConductorLeftError) as error:
        give_up(str(error) or "the process that conducts this part has ended")
    except KeyboardInterrupt:
        give_up("interrupted")


def give_up(reason: str) -> Never:
    """End the command with a sentence and the exit code GAVE_UP."""
    print(f"bots: {reason}", file=sys.stderr)
    raise typer.Exit(GAVE_UP)


def write(path: str | None, value: Any) -> None:
    """Write a value as JSON to a file, or to stdout for `-`."""
    if path == "-":
        print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
    elif path is not None:
        Path(path).write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
