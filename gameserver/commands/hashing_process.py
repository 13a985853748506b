"""Argon2id in a process of its own, of low priority: what a node starts and asks, and what runs there.

Law: a question is a line of JSON, and so is its answer; one at a time, until the node closes its end or is killed.
Not a thread of the node: one of low priority that holds the interpreter's lock, or is to be given it, keeps everything
that the node does waiting behind all that is of normal priority on the machine.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
NICENESS = 10
"""What else wants a core gets about nine tenths of it."""
AUTOGROUP = Path("/proc/self/autogroup")
ANSWER_SECONDS = 10.0
"""Of an answer, at the most: a process that is frozen is replaced by another one."""
OWN = "GAMESERVER_"
"""What the node's variables begin with: settings, secrets among them, which no hash needs."""


class HashingStopped(Exception):
    """The process has ended, or doesn't answer; `HashingProcess` starts another one when it is asked again."""


class HashingProcess:
    """Asked by one thread at a time; begun when it is first asked. To be closed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self.worked = 0.0
        """Seconds of a core that all answers took."""

    def hash(self, password: bytes) -> str:
        """The hash of a new password. Raises HashingStopped."""
        return str(self._ask(None, password))

    def matches(self, hashed: str, password: bytes) -> bool:
        """Whether this is the hash of the password. Raises HashingStopped."""
        return bool(self._ask(hashed, password))

    def interrupt(self) -> None:
        """Ends what is being asked, by another thread."""
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """Ends the process."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._socket = self._process = None

    def _ask(self, hashed: str | None, password: bytes) -> Any:
        try:
            connected = self._socket or self._begun()
            connected.sendall(orjson.dumps([hashed, password.hex()]) + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                received = connected.recv(4096)
                if not received:
                    raise ConnectionResetError("the process has ended")
                answer += received
        except OSError as error:
            self.close()
            raise HashingStopped(str(error)) from error
        result, worked = orjson.loads(answer)
        self.worked += worked
        return result

    def _begun(self) -> socket.socket:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(ANSWER_SECONDS)
        with theirs:
            environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
            end, command = theirs.fileno(), [sys.executable, "-P", "-m", __name__]
            self._process = subprocess.Popen(command, stdin=end, stdout=end, env=environment, start_new_session=True)
        return self._socket


def serve() -> None:
    """Answers until the other end is closed, which a killed node does, too."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _give_way()
    for line in sys.stdin.buffer:
        began = time.process_time()
        result = _answered(*orjson.loads(line))
        sys.stdout.buffer.write(orjson.dumps([result, time.process_time() - began]) + b"\n")
        sys.stdout.buffer.flush()


def _give_way() -> None:
    """Lowers the priority of this process, and of its session: Linux may share out cores among sessions first."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(str(NICENESS), "ascii")


def _answered(hashed: str | None, password: str) -> str | bool:
    if hashed is None:
        return HASHER.hash(bytes.fromhex(password))
    try:
        return HASHER.verify(hashed, bytes.fromhex(password))
    except (VerificationError, InvalidHashError):
        return False


if __name__ == "__main__":
    serve()
