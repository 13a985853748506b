"""HAProxy's runtime API: who is in rotation, and changes to that, without a reload.

Every question is a connection of its own to a unix socket, answered within two seconds or not at all.
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
    """What HAProxy thinks of a server in one backend; `status` as on its page: UP, DOWN, DRAIN, NOLB, MAINT."""

    status: str
    sessions: int

    @property
    def up(self) -> bool:
        return self.status.startswith("UP")


ServerStates = Mapping[str, Mapping[str, ServerState]]
"""By the server's name and the backend."""


def is_up(states: ServerStates, name: str) -> bool:
    """Whether players are sent there from every backend."""
    found = states.get(name, {})
    return all(backend in found and found[backend].up for backend in BACKENDS)


def sessions(states: ServerStates, name: str) -> int:
    """Requests and sockets that are open there now."""
    return sum(state.sessions for state in states.get(name, {}).values())


class RuntimeApi:
    """The API behind one unix socket. Every method raises StackError when HAProxy doesn't answer, or says no."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def states(self) -> ServerStates:
        """All servers of both backends."""
        found: dict[str, dict[str, ServerState]] = {}
        for row in csv.DictReader((await self._ask(_SERVERS_ONLY)).lstrip("# ").splitlines()):
            if row["pxname"] in BACKENDS:
                found.setdefault(row["svname"], {})[row["pxname"]] = ServerState(row["status"], int(row["scur"]))
        return found

    async def let_in(self, name: str, host: str, port: int) -> None:
        """Send players to a place at this address (numeric) as soon as two checks there have succeeded."""
        for backend in BACKENDS:
            server = f"{backend}/{name}"
            told = await self._ask(f"set server {server} addr {host} port {port}")
            if told.startswith(("Invalid", "No such")):
                raise StackError(f"HAProxy refuses {host}:{port} for {server}: {told}")
            await self._order(f"set server {server} state ready; set server {server} health down")

    async def drain(self, name: str) -> None:
        """Send nothing new there; what is open goes on."""
        await self._set_state(name, "drain")

    async def shut(self, name: str) -> None:
        """Send nothing there, ask it nothing, and cut its sockets."""
        await self._set_state(name, "maint")

    async def _set_state(self, name: str, state: str) -> None:
        for backend in BACKENDS:
            await self._order(f"set server {backend}/{name} state {state}")

    async def _order(self, command: str) -> None:
        if told := await self._ask(command):
            raise StackError(f"HAProxy refuses `{command}`: {told}")

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
