"""A command whose standard streams were closed by whoever started it, as some service managers and scripts do."""

import subprocess
import sys

import pytest

SOCKETS_NUMBER = (
    "import socket, sys; from gameserver.terminal import open_streams; open_streams(); "
    "sys.exit(socket.socket().fileno() <= 2 or print('lost') is not None)"
)


def run(arguments: str, closed: str) -> int:
    return subprocess.run(["sh", "-c", f"exec {sys.executable} {arguments} {closed}"], check=False).returncode


@pytest.mark.family(1)
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_command_works_without_the_streams_that_were_closed(closed: str) -> None:
    assert run("-m gameserver openapi", f"> /dev/null {closed}") == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_no_socket_gets_the_number_of_a_stream_that_was_closed(closed: str) -> None:
    assert run(f'-c "{SOCKETS_NUMBER}"', closed) == 0
