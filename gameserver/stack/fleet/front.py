"""HAProxy in front of the nodes of `up`, and the commands with which operators change them while players play."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gameserver.config.settings import Settings
from gameserver.stack.errors import StackError
from gameserver.stack.fleet import control
from gameserver.stack.fleet.fleet import Fleet
from gameserver.stack.fleet.roster import Roster
from gameserver.stack.fleet.rotation import Rotation
from gameserver.stack.processes.supervisor import Supervisor
from gameserver.stack.servers.haproxy import HAProxyServer
from gameserver.stack.servers.haproxy_config import first_places, render, section
from gameserver.stack.servers.node import NodeProcess

_SLOWEST_START_SECONDS = 120


class Front:
    """The HAProxy of a stack, and the nodes in its places."""

    def __init__(
        self, settings: Settings, nodes: Sequence[NodeProcess], make_node: Callable[[str], NodeProcess]
    ) -> None:
        """`make_node` makes the node of a place, by name. Raises StackError if haproxy.nodes names other nodes."""
        self._settings = settings
        self._make_node = make_node
        front = section(settings)
        if front.nodes:
            raise StackError("haproxy.nodes names nodes that `up` doesn't start: use `gameserver haproxy-config`.")
        self._roster = Roster(first_places(settings), nodes)
        self.haproxy = HAProxyServer(
            section=front,
            certificate=settings.certificate,
            configuration=lambda: render(settings, self._roster.places()),
            run=_run_folder(settings),
            log=settings.data / "log" / "haproxy.log",
            stop_seconds=stop_seconds(settings),
        )

    @asynccontextmanager
    async def serving(self, supervisor: Supervisor) -> AsyncIterator[None]:
        """Runs HAProxy and serves the operators' commands, in one phase with the nodes. Raises StackError."""
        await supervisor.join(self.haproxy)
        fleet = Fleet(
            supervisor, self._roster, Rotation(self.haproxy.api), self._make_node, self._settings.node.drain_seconds
        )
        async with control.ControlSocket(_control_file(self._settings), _handlers(fleet)):
            yield


def stop_seconds(settings: Settings) -> float:
    """How long a node may take from SIGTERM to its end."""
    return settings.node.notice_seconds + settings.node.drain_seconds + 10


async def nodes_command(settings: Settings, command: str, argument: str | None, say: control.Say) -> Any:
    """Send a command to the `up` that runs with these settings, and return its answer.

    Raises StackError, and ConfigFault without [haproxy].
    """
    section(settings)
    silence = _SLOWEST_START_SECONDS + 2 * stop_seconds(settings)
    return await control.ask(_control_file(settings), command, argument, say, silence)


def _run_folder(settings: Settings) -> Path:
    return settings.data / "run"


def _control_file(settings: Settings) -> Path:
    return _run_folder(settings) / control.FILE


def _handlers(fleet: Fleet) -> dict[str, control.Handler]:
    async def listed(_: str | None, __: control.Say) -> object:
        return await _listed(fleet)

    async def add(address: str | None, say: control.Say) -> object:
        await fleet.add(address, say)
        return await _listed(fleet)

    async def drain(name: str | None, say: control.Say) -> object:
        await fleet.drain(name or "", say)
        return await _listed(fleet)

    async def remove(name: str | None, say: control.Say) -> object:
        await fleet.remove(name or "", say)
        return await _listed(fleet)

    async def restart(_: str | None, say: control.Say) -> object:
        await fleet.restart(say)
        return await _listed(fleet)

    return {"list": listed, "add": add, "drain": drain, "remove": remove, "restart": restart}


async def _listed(fleet: Fleet) -> dict[str, object]:
    reports = await fleet.reports()
    return {"nodes": [dataclasses.asdict(report) for report in reports], "free_places": fleet.free_places()}
