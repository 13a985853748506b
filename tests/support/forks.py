"""Runs modules as commands, each in a fork of a process that has imported them: without a second of imports each.

`python -m tests.support.forks SOCKET MODULE...` imports the modules and serves until its standard input ends. Each
connection to SOCKET is one run: the line `[module, [argument...]]`, as JSON, is answered by a line with the process id
and, at its end, by `[exit code, output, errors]`. A negative code is the signal that ended it. A run is a process of
its own, as with `python -m`.

With a third element, `{"folder", "environment", "log", "orphaned"}`, the run stands for a server's process: it has
these, prints to the log, leads a session of its own, and gets the signal `orphaned` when the connection is closed.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple


class Run(NamedTuple):
    module: str
    arguments: Sequence[str]
    server: Mapping[str, Any] | None = None


def serve(listener: socket.socket) -> Run | None:
    """Returns in each fork that is to be a run; None in the server, at its end."""
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            return None
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                return _forked(connection)


def _forked(connection: socket.socket) -> Run:
    """Forks the run, with files for what it prints; the parent answers with them when it is over, and ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile() as lines:
        run = Run(*json.loads(lines.readline()))
    if run.server is not None:
        return _forked_server(connection, run, run.server)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, open(os.devnull) as nothing:
        pid = os.fork()
        if pid == 0:
            for number, file in enumerate((nothing, output, errors)):
                os.dup2(file.fileno(), number)
            return run
        connection.sendall(b"%d\n" % pid)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        printed = [os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode() for file in (output, errors)]
    connection.sendall(json.dumps([code, *printed]).encode())
    os._exit(0)


def _forked_server(connection: socket.socket, run: Run, server: Mapping[str, Any]) -> Run:
    """The same for a server, which isn't waited for when nobody is at the other end any more."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.chdir(server["folder"])
        os.environ.clear()
        os.environ.update(server["environment"])
        with open(os.devnull) as nothing, open(server["log"], "ab") as log:
            for number, file in enumerate((nothing, log, log)):
                os.dup2(file.fileno(), number)
        return run
    connection.sendall(b"%d\n" % pid)
    ended = os.pidfd_open(pid)
    awaited: list[Any] = [connection, ended]
    readable, _, _ = select.select(awaited, [], [])
    if ended not in readable:
        os.kill(pid, server["orphaned"])
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):
        connection.sendall(json.dumps([code, "", ""]).encode())
    os._exit(0)


def main(path: str, modules: Sequence[str]) -> None:
    for name in modules:
        importlib.import_module(name)
    # What is imported is no garbage: no run looks at it again, which would also copy its memory.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        os.write(1, b"ready\n")
        run = serve(listener)
    if run is not None:
        sys.argv[1:] = run.arguments
        sys.modules.pop(run.module, None)
        runpy.run_module(run.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
