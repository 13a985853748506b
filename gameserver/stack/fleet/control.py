"""The control socket of a running `gameserver up`: a unix socket in its data folder that only its owner can open.

One request a connection, in JSON lines: `{"command": "add", "argument": "10.0.0.7:8080"}`. Messages on the way come as
`{"say": "…"}`; the last line is `{"done": …}` or `{"refused": "the reason"}`. A change goes on if its client leaves.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import structlog

from gameserver.stack.errors import StackError
from gameserver.stack.processes import unix_paths
from gameserver.waiting import cancel_and_wait

FILE = "control.sock"
LONGEST_LINE = 1 << 16
REQUEST_SECONDS = 5
CONNECT_SECONDS = 5
MAX_CLIENTS = 16
Say = Callable[[str], None]
Handler = Callable[[str | None, Say], Awaitable[object]]
"""Takes the argument and returns what JSON can hold. Raises StackError."""
_log = structlog.get_logger()


class ControlSocket:
    """Serves while its block runs; commands under way at its end are cancelled."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """The caller holds the lock of the data folder, so a socket file in it is stale. Raises StackError."""
        try:
            with unix_paths.short(self._path) as path:
                self._path.unlink(missing_ok=True)
                previous_mask = os.umask(0o177)
                try:
                    self._server = await asyncio.start_unix_server(self._accept, path, limit=LONGEST_LINE)
                finally:
                    os.umask(previous_mask)
        except OSError as error:
            raise StackError(f"The socket {self._path} can't be made: {error}.") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await cancel_and_wait(self._tasks)
        self._path.unlink(missing_ok=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= MAX_CLIENTS:
            writer.write(_line({"refused": "Too many commands at the same time: try again."}))
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            _log.info(text)
            writer.write(_line({"say": text}))

        try:
            writer.write(_line(await self._answer(reader, say)))
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, say: Say) -> Mapping[str, object]:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                request = orjson.loads(await reader.readline())
            command, argument = request["command"], request.get("argument")
            handler = self._handlers[command]
        except (TimeoutError, ValueError, TypeError, LookupError, AttributeError, OSError):
            return {"refused": f"A request is a line of JSON with a `command`: {', '.join(self._handlers)}."}
        if argument is not None and not isinstance(argument, str):
            return {"refused": "The argument isn't text."}
        try:
            return {"done": await handler(argument, say)}
        except StackError as error:
            return {"refused": str(error)}
        except Exception:
            _log.exception("a command failed", command=command)
            return {"refused": "Something went wrong; the log of `gameserver up` has it."}


async def ask(path: Path, command: str, argument: str | None, say: Say, silence: float) -> Any:
    """The answer of the running `up`, when the command is done; its messages on the way go to `say`.

    Raises StackError for a refusal, when no `up` runs, and when nothing comes for `silence` seconds.
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            with unix_paths.short(path) as short:
                reader, writer = await asyncio.open_unix_connection(short, limit=LONGEST_LINE)
    except (OSError, TimeoutError):
        raise StackError(f"No `gameserver up` with HAProxy runs on {path.parent.parent}: start it first.") from None
    try:
        with contextlib.suppress(OSError):  # its answer tells
            writer.write(_line({"command": command, "argument": argument}))
        return await _answer_of(reader, say, silence)
    finally:
        with contextlib.suppress(OSError):
            writer.close()


async def _answer_of(reader: asyncio.StreamReader, say: Say, silence: float) -> Any:
    while True:
        try:
            async with asyncio.timeout(silence):
                message = orjson.loads(await reader.readline())
        except TimeoutError:
            raise StackError(f"`gameserver up` said nothing for {silence:g} s; it may go on.") from None
        except (OSError, ValueError):
            raise StackError("`gameserver up` ended before it answered.") from None
        if "say" in message:
            say(message["say"])
        elif "refused" in message:
            raise StackError(message["refused"])
        else:
            return message["done"]


def _line(value: Mapping[str, object]) -> bytes:
    return orjson.dumps(value) + b"\n"
