"""TCP ports: a free one for a test, and a clear sentence about one that can't be used."""

import errno
import random
import socket
from collections import deque

from gameserver.stack.errors import StackError
from gameserver.stack.processes import process_table

BELOW_EPHEMERAL = range(15000, 32000)
_COMMAND_CHARACTERS = 80
_ATTEMPTS = 200
_RANDOM = random.SystemRandom()
"""Not the seeded generator: test runs with the same seed must not draw the same ports."""


class FreePorts:
    """Draws ports of 127.0.0.1 that no process listens on, none again soon: what draws one listens on it only later.

    Processes that draw at the same time need ports of their own to draw from.
    """

    def __init__(self, ports: range = BELOW_EPHEMERAL) -> None:
        self._ports = ports
        self._drawn: deque[int] = deque(maxlen=len(ports) // 2)

    def draw(self, count: int = 1) -> int:
        """The first of so many in a row. Raises StackError."""
        for _ in range(_ATTEMPTS):
            first = _RANDOM.choice(self._ports)
            row = range(first, first + count)
            if row[-1] in self._ports and not any(map(self._is_taken, row)):
                self._drawn.extend(row)
                return first
        raise StackError("No free port was found on 127.0.0.1.")

    def _is_taken(self, port: int) -> bool:
        return port in self._drawn or _fault("127.0.0.1", port) is not None


FREE_PORTS = FreePorts()


def free_port(count: int = 1) -> int:
    """A port of 127.0.0.1 that no process listens on, below the range of outgoing connections, or the first of a row.

    Raises StackError.
    """
    return FREE_PORTS.draw(count)


def require_free(host: str, port: int, key: str) -> None:
    """Raises StackError when a server can't listen on `port`; `key` is the setting that chooses it."""
    fault = _fault(host, port)
    if fault is None:
        return
    if fault != errno.EADDRINUSE:
        raise StackError(f"Port {port} of {host} ({key}) can't be listened on: {errno.errorcode.get(fault, fault)}.")
    pid = process_table.listener(port)
    command = process_table.command_line(pid)[:_COMMAND_CHARACTERS] if pid else ""
    holder = f" by process {pid} ({command})" if pid else ""
    raise StackError(f"Port {port} of {host} is taken{holder}: stop what uses it, or set another one as {key}.")


def _fault(host: str, port: int) -> int | None:
    """The errno that listening would fail with; None when it would succeed."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            candidate.bind(address)
    except socket.gaierror:
        return errno.EADDRNOTAVAIL
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return None
