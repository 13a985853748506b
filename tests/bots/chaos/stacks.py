"""Stacks for tests of faults: described, without servers."""

import os
from pathlib import Path

from bots.chaos.processes import ProcessIdentity, tree
from bots.chaos.stack import RunningStack, StackServer


def this_process() -> ProcessIdentity:
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return tree([ProcessIdentity(os.getpid(), started)])[0]


def described(*servers: StackServer, groups: tuple[str, ...] = ("one", "two")) -> RunningStack:
    """A stack whose `up` is this process."""
    return RunningStack(
        file=Path("nowhere/run/stack.json"),
        up=this_process(),
        command=["false"],
        version="0",
        config=Path("nowhere.toml"),
        data=Path("nowhere"),
        players="http://127.0.0.1:1",
        operators="http://127.0.0.1:2",
        admin_key_file=Path("nowhere/admin.key"),
        groups={"players": groups},
        slots={"players": 1024},
        servers=servers,
    )


def server(name: str, kind: str, *processes: ProcessIdentity, database: str | None = None) -> StackServer:
    return StackServer(name, kind, database, "127.0.0.1:1", processes)
