"""A free port is drawn once: who draws it listens on it only later."""

import socket

import pytest

from gameserver.stack.errors import StackError
from gameserver.stack.processes.ports import BELOW_EPHEMERAL, FreePorts


def test_no_port_is_drawn_again_before_half_of_them_were() -> None:
    ports = FreePorts(BELOW_EPHEMERAL[:200])
    drawn = [ports.draw() for _ in range(50)]
    assert len({*drawn}) == len(drawn)
    assert {*drawn} <= {*BELOW_EPHEMERAL[:200]}


def test_when_all_are_taken_that_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match="No free port"):
            FreePorts(range(port, port + 1)).draw()
