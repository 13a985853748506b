"""A stack that `gameserver up` runs on this machine, as its file `run/stack.json` describes it (docs/chaos.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bots.chaos import processes
from bots.chaos.processes import ProcessIdentity

FILE = "run/stack.json"
FORMAT, VERSION = "heroledger-stack", 1
PLACES = ("", "var/*/", "*/")
"""Where a data folder may lie, from the folder in which the bots are started."""


@dataclass(frozen=True, slots=True)
class StackServer:
    """One server: `kind` is node, database, replica, member, redis, sentinel, etcd, haproxy or receiver.

    `database` is the one of which it has a copy. `processes` are those that run now; none while it is away.
    """

    name: str
    kind: str
    database: str | None
    address: str
    processes: Sequence[ProcessIdentity]


@dataclass(frozen=True, slots=True)
class RunningStack:
    """What one `gameserver up` runs; `command` starts the `gameserver` that it came from.

    `groups` has the databases of each group, `slots` how many slots it has.
    """

    file: Path
    up: ProcessIdentity
    command: Sequence[str]
    version: str
    config: Path
    data: Path
    players: str
    operators: str
    admin_key_file: Path
    groups: Mapping[str, Sequence[str]]
    slots: Mapping[str, int]
    servers: Sequence[StackServer]

    def lives(self) -> bool:
        """Whether its `up` still runs."""
        return processes.lives(self.up)

    def server(self, name: str) -> StackServer | None:
        """The server of this name; None if there is none."""
        return next((server for server in self.servers if server.name == name), None)

    def now(self) -> "RunningStack | None":
        """The stack as it is now; None when its `up` has ended."""
        return read(self.file)


def find(urls: Sequence[str], data: Path | None = None) -> RunningStack | None:
    """The running stack with the data folder `data`; without one, that which serves one of these URLs to players.

    That one must have its data folder below the working folder.
    """
    if data is not None:
        return read(data / FILE)
    for stack in running():
        if any(url.rstrip("/") == stack.players.rstrip("/") for url in urls):
            return stack
    return None


def running(below: Path | None = None) -> Iterator[RunningStack]:
    """Yield the running stacks whose files lie below the working folder."""
    for place in PLACES:
        for file in sorted((below or Path.cwd()).glob(place + FILE)):
            if (stack := read(file)) is not None:
                yield stack


def read(file: Path) -> RunningStack | None:
    """The stack of a file; None if there is no such file, it isn't one, or its `up` has ended."""
    try:
        stack = _stack(file, orjson.loads(file.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return stack if stack.lives() else None


def _stack(file: Path, found: Mapping[str, Any]) -> RunningStack:
    if (found["format"], found["version"]) != (FORMAT, VERSION):
        raise ValueError("another format")
    return RunningStack(
        file=file,
        up=_identity(found["up"]),
        command=[str(word) for word in found["command"]],
        version=str(found["gameserver"]),
        config=Path(found["config"]),
        data=Path(found["data"]),
        players=str(found["players"]),
        operators=str(found["operators"]),
        admin_key_file=Path(found["admin_key_file"]),
        groups={str(name): list(databases) for name, databases in found["groups"].items()},
        slots={str(name): int(count) for name, count in found["slots"].items()},
        servers=[_server(each) for each in found["servers"]],
    )


def _server(found: Mapping[str, Any]) -> StackServer:
    return StackServer(
        name=str(found["name"]),
        kind=str(found["kind"]),
        database=found["database"],
        address=str(found["address"]),
        processes=[_identity(each) for each in found["processes"]],
    )


def _identity(found: Mapping[str, Any]) -> ProcessIdentity:
    return ProcessIdentity(int(found["pid"]), int(found["started"]))
