"""A command whose standard streams were closed by whoever started it, as some service managers and scripts do.

And one whose output can't be written any more: what it changes goes on.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT

SOCKETS_NUMBER = (
    "import socket, sys; from gameserver.terminal import open_streams; open_streams(); "
    "sys.exit(socket.socket().fileno() <= 2 or print('lost') is not None)"
)

TELLING = """
from gameserver.cli.running import console, say
from gameserver.terminal import on_the_way
say('first')
with on_the_way():
    console.print('second')
say('third')
open(4, 'w').write('done')
"""

UP = """
import asyncio, os, sys
from pathlib import Path
from gameserver.config.settings import load
from gameserver.stack import up
from gameserver.stack.processes.supervisor import Supervisor

async def start(*_): pass
async def run(_): open(4, 'w').write('running')
Supervisor.start, Supervisor.run = start, run
config = Path('config/local.toml')
os.environ['GAMESERVER_STACK__DATA'] = sys.argv[1]
asyncio.run(up.up(load(config), config, start, as_json=sys.argv[2] == '1'))
"""
"""Without its servers."""

AGAIN = """
import os, sys
from gameserver.terminal import on_the_way
before = os.fstat(2).st_rdev
with on_the_way(err=True):
    print('lost', file=sys.stderr)
open(4, 'w').write(str(os.fstat(2).st_rdev == before))
"""


def run(arguments: str, closed: str) -> int:
    return subprocess.run(["sh", "-c", f"exec {sys.executable} {arguments} {closed}"], check=False).returncode


@pytest.mark.family(1)
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_command_works_without_the_streams_that_were_closed(closed: str) -> None:
    assert run("-m gameserver openapi", f"> /dev/null {closed}") == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_no_socket_gets_the_number_of_a_stream_that_was_closed(closed: str) -> None:
    assert run(f'-c "{SOCKETS_NUMBER}"', closed) == 0


def told_to(output: str, stream: str, *arguments: str) -> tuple[int, str]:
    """How Python ends whose streams (`1>&3` names one) lead nowhere, and what it writes to 4; `output` says why."""
    end, done = os.pipe()
    if output == "no room":
        full = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, full = os.pipe()
        os.close(reader)
    command = ["sh", "-c", f'exec "$@" 4>&1 3>&0 </dev/null {stream}', "sh", sys.executable, *arguments]
    code = subprocess.run(command, stdin=full, stdout=done, stderr=done, cwd=ROOT, check=False).returncode
    os.close(done)
    os.close(full)
    with os.fdopen(end) as told:
        return code, told.read()


@pytest.mark.parametrize("output", ["nobody reads", "no room"])
def test_what_a_change_tells_on_its_way_cant_end_it(output: str) -> None:
    assert told_to(output, "1>&3", "-c", TELLING) == (0, "done")


@pytest.mark.parametrize("output", ["nobody reads", "no room"])
@pytest.mark.parametrize(("stream", "as_json"), [("1>&3", True), ("2>&3", False)], ids=["JSON", "text"])
def test_what_up_tells_cant_end_it(output: str, stream: str, *, as_json: bool, tmp_path: Path) -> None:
    assert told_to(output, stream, "-c", UP, str(tmp_path), str(int(as_json))) == (0, "running")


def test_standard_error_stays_where_it_leads_for_logs_when_there_is_room_again() -> None:
    assert told_to("no room", "2>&3", "-c", AGAIN) == (0, "True")
