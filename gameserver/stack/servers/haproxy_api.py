"""HAProxy's runtime API: which servers are in rotation, and changes to that, without a reload.

Every request opens a connection to a unix socket, and fails when it isn't answered within two seconds.
"""

import asyncio
import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gameserver.stack.errors import StackError
from gameserver.stack.processes import unix_paths

BACKENDS = ("play", "sockets")
_SECONDS = 2
_SERVERS_ONLY = "show stat -1 4 -1"


@dataclass(frozen=True, slots=True)
class ServerState:
    """The state of a server in one backend; `status` as on HAProxy's page: UP, DOWN, DRAIN, NOLB, MAINT."""

    status: str
    sessions: int

    @property
    def up(self) -> bool:
        return self.status.startswith("UP")


ServerStates = Mapping[str, Mapping[str, ServerState]]
"""By the name of the server, then by backend."""


def is_up(states: ServerStates, name: str) -> bool:
    """Whether every backend sends players to the server."""
    by_backend = states.get(name, {})
    return all(backend in by_backend and by_backend[backend].up for backend in BACKENDS)


def sessions(states: ServerStates, name: str) -> int:
    """How many requests and sockets are open on the server."""
    return sum(state.sessions for state in states.get(name, {}).values())


class RuntimeApi:
    """The API behind one unix socket. Every method raises StackError when HAProxy doesn't answer or refuses."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def states(self) -> ServerStates:
        """All servers of both backends."""
        states: dict[str, dict[str, ServerState]] = {}
        for row in csv.DictReader((await self._ask(_SERVERS_ONLY)).lstrip("# ").splitlines()):
            if row["pxname"] in BACKENDS:
                states.setdefault(row["svname"], {})[row["pxname"]] = ServerState(row["status"], int(row["scur"]))
        return states

    async def let_in(self, name: str, host: str, port: int) -> None:
        """Give a place this address (numeric), and send players there as soon as two checks have succeeded."""
        for backend in BACKENDS:
            server = f"{backend}/{name}"
            reply = await self._ask(f"set server {server} addr {host} port {port}")
            if reply.startswith(("Invalid", "No such")):
                raise StackError(f"HAProxy refuses {host}:{port} for {server}: {reply}")
            await self._order(f"set server {server} state ready; set server {server} health down")

    async def drain(self, name: str) -> None:
        """Send nothing new to the server; open requests and sockets go on."""
        await self._set_state(name, "drain")

    async def shut(self, name: str) -> None:
        """Send nothing to the server, stop its checks, and close its sockets."""
        await self._set_state(name, "maint")

    async def _set_state(self, name: str, state: str) -> None:
        for backend in BACKENDS:
            await self._order(f"set server {backend}/{name} state {state}")

    async def _order(self, command: str) -> None:
        if reply := await self._ask(command):
            raise StackError(f"HAProxy refuses `{command}`: {reply}")

    async def _ask(self, command: str) -> str:
        try:
            async with asyncio.timeout(_SECONDS):
                with unix_paths.short(self._socket) as path:
                    reader, writer = await asyncio.open_unix_connection(path)
                try:
                    writer.write(command.encode() + b"\n")
                    return (await reader.read(-1)).decode("utf-8", "replace").strip()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise StackError(f"HAProxy doesn't answer on {self._socket} ({error or 'no answer in time'}).") from None
