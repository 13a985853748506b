"""A command whose standard streams were closed by whoever started it, as some service managers and scripts do.

And one whose output can't be written any more: what it changes goes on.
"""

import os
import subprocess
import sys

import pytest

SOCKETS_NUMBER = (
    "import socket, sys; from gameserver.terminal import open_streams; open_streams(); "
    "sys.exit(socket.socket().fileno() <= 2 or print('lost') is not None)"
)

TELLING = """
from gameserver.cli.running import console, on_the_way, say
say('first')
with on_the_way():
    console.print('second')
say('third')
open(3, 'w').write('done')
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


@pytest.mark.parametrize("output", ["nobody reads", "no room"])
def test_what_a_change_tells_on_its_way_cant_end_it(output: str) -> None:
    end, done = os.pipe()
    if output == "no room":
        stdout = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, stdout = os.pipe()
        os.close(reader)
    command = ["sh", "-c", 'exec "$@" 3>&2 2>&1', "sh", sys.executable, "-c", TELLING]
    code = subprocess.run(command, stdout=stdout, stderr=done, check=False).returncode
    os.close(done)
    os.close(stdout)
    with os.fdopen(end) as told:
        assert (code, told.read()) == (0, "done")
