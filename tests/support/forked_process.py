"""A server's process as a fork of one that has imported the product: a node starts in a third of the time."""

import json
import socket
import subprocess
import time
from typing import Any

from gameserver.stack.errors import StackError
from gameserver.stack.processes.process import Launch, Process
from tests.support.command_line import WARM


class ForkedProcess(Process):
    """As its class, for a launch of `python -m MODULE ARGUMENT...`; it inherits no lock."""

    def start(self, launch: Launch) -> None:
        if self.pid is not None:
            raise StackError(f"{self.name} is already running.")
        with self._log_file.open():
            pass  # as the log of this start
        self._popen = _Fork(launch, str(self.log))  # type: ignore[assignment]


class _Fork:
    """What `Process` uses of a `Popen`."""

    stdin = None

    def __init__(self, launch: Launch, log: str) -> None:
        _, dash_m, module, *arguments = launch.argv
        assert dash_m == "-m"
        server = {"folder": str(launch.cwd), "environment": dict(launch.env), "log": log,
                  "orphaned": int(launch.orphaned)}  # fmt: skip
        self._status: int | None = None
        self._said = b""
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(WARM.socket))
        self._connection.sendall(json.dumps([f"{module}.__main__", arguments, server]).encode() + b"\n")
        while b"\n" not in self._said:
            said = self._connection.recv(1 << 12)
            assert said, f"{module} can't be forked"
            self._said += said
        number, _, self._said = self._said.partition(b"\n")
        self.pid = int(number)

    def poll(self) -> int | None:
        return self._status if self._status is not None else self._heard(0)

    def wait(self, timeout: float) -> int:
        end = time.monotonic() + timeout
        while self._status is None:
            if self._heard(end - time.monotonic()) is None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self._status

    def _heard(self, seconds: float) -> int | None:
        """The status, if the fork's parent tells it within this time."""
        self._connection.settimeout(max(seconds, 0))
        try:
            while said := self._connection.recv(1 << 12):
                self._said += said
        except (BlockingIOError, TimeoutError):
            return None
        self._connection.close()
        told: list[Any] = json.loads(self._said)
        self._status = told[0]
        return self._status
