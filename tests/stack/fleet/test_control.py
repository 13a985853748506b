"""The control socket of a running `up`: commands that it answers, and requests that it refuses."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from gameserver.stack.errors import StackError
from gameserver.stack.fleet import control
from gameserver.stack.fleet.control import ControlSocket, Say
from gameserver.stack.processes import unix_paths


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Deeper than what the kernel takes as the name of a socket."""
    folder = tmp_path / ("deep" * 30) / "run"
    folder.mkdir(parents=True)
    return folder / control.FILE


@pytest.fixture
async def served(path: Path) -> AsyncIterator[Path]:
    async def echo(argument: str | None, say: Say) -> object:
        say("wait")
        return {"echo": argument}

    async def refuse(_: str | None, __: Say) -> object:
        raise StackError("no place is free")

    async def crash(_: str | None, __: Say) -> object:
        raise ZeroDivisionError("a secret")

    async def forever(_: str | None, __: Say) -> object:
        await asyncio.Event().wait()
        return None

    handlers = {"echo": echo, "refuse": refuse, "crash": crash, "forever": forever}
    async with ControlSocket(path, handlers):
        yield path


async def ask(path: Path, command: str, argument: str | None = None, silence: float = 5) -> tuple[object, list[str]]:
    said: list[str] = []
    return await control.ask(path, command, argument, said.append, silence), said


async def test_a_command_is_answered_after_what_is_said_meanwhile(served: Path) -> None:
    assert await ask(served, "echo", "뜻") == ({"echo": "뜻"}, ["wait"])
    assert os.stat(served).st_mode & 0o777 == 0o600


async def test_a_refusal_is_its_reason_and_a_fault_keeps_its_text_to_itself(served: Path) -> None:
    with pytest.raises(StackError, match=r"^no place is free$"):
        await ask(served, "refuse")
    with pytest.raises(StackError, match="went wrong") as fault:
        await ask(served, "crash")
    assert "secret" not in str(fault.value)
    with pytest.raises(StackError, match=r"said nothing for 0\.1 s"):
        await ask(served, "forever", silence=0.1)


async def test_output_that_cant_be_written_isnt_taken_for_the_end_of_up(served: Path) -> None:
    def full(_: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await control.ask(served, "echo", None, full, 5)


async def test_an_up_that_ends_before_it_has_answered_is_named(path: Path) -> None:
    async def end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"say": "wait"}\n')
        writer.close()

    with unix_paths.short(path) as short:
        server = await asyncio.start_unix_server(end, short)
    async with server:
        with pytest.raises(StackError, match=r"^`gameserver up` ended before it answered\.$"):
            await ask(path, "echo")


@pytest.mark.parametrize(
    "sent",
    [b"\n", b"[]\n", b'"echo"\n', b"{\n", b'{"command": 1}\n', b'{"command": []}\n', b'{"command": "none"}\n',
     b'{"command": "echo", "argument": 7}\n', b"x" * (control.LONGEST_LINE + 10) + b"\n", b""],
)  # fmt: skip
async def test_what_is_no_request_is_refused_and_the_next_one_served(served: Path, sent: bytes) -> None:
    with unix_paths.short(served) as short:
        reader, writer = await asyncio.open_unix_connection(short)
    writer.write(sent)
    writer.write_eof()
    assert set(orjson.loads(await reader.readline())) == {"refused"}
    writer.close()
    assert (await ask(served, "echo"))[0] == {"echo": None}


async def test_without_a_running_up_one_sentence_says_so(path: Path) -> None:
    with pytest.raises(StackError, match=r"^No `gameserver up` with HAProxy runs on .*: start it first\.$"):
        await ask(path, "echo")
    with unix_paths.short(path) as short, socket.socket(socket.AF_UNIX) as dead:
        dead.bind(short)
    assert path.exists()
    with pytest.raises(StackError, match=r"^No `gameserver up`"):
        await ask(path, "echo")


async def test_the_socket_of_one_that_was_killed_is_taken_over(path: Path) -> None:
    with unix_paths.short(path) as short, socket.socket(socket.AF_UNIX) as dead:
        dead.bind(short)
    async with ControlSocket(path, {}):
        with pytest.raises(StackError, match="A request is"):
            await ask(path, "list")
    assert not path.exists()
