"""The nodes behind HAProxy while they run: they join, drain, leave and restart one after another.

Law: a change is written to the roster first and sent to HAProxy then, with retries until HAProxy has taken it. If one
starts meanwhile, it gets the roster as its configuration. So the two agree in the end, whichever of them was killed. A
node is stopped only after HAProxy has stopped sending to it. One change runs at a time; a refused one changes nothing.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gameserver.stack.errors import StackError
from gameserver.stack.fleet import joining
from gameserver.stack.fleet.roster import FleetNode, Roster
from gameserver.stack.fleet.rotation import Rotation
from gameserver.stack.processes.supervisor import Supervisor
from gameserver.stack.servers.haproxy_api import BACKENDS, ServerState, ServerStates, is_up, sessions
from gameserver.stack.servers.node import NodeProcess

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node as operators see it; its states are `unknown` where HAProxy reports none."""

    name: str
    address: str
    states: dict[str, str]
    """By backend."""
    sessions: int
    pid: int | None
    """None for a node that isn't running, or that `up` didn't start."""
    note: str


class Fleet:
    """Every change of the nodes. All methods raise StackError, whose text is the reason."""

    def __init__(
        self,
        supervisor: Supervisor,
        roster: Roster,
        rotation: Rotation,
        make_node: Callable[[str], NodeProcess],
        drain_seconds: float,
    ) -> None:
        """`drain_seconds`: how long open requests and sockets get to end on a node that `up` didn't start."""
        self._supervisor = supervisor
        self._roster = roster
        self._rotation = rotation
        self._make_node = make_node
        self._drain_seconds = drain_seconds
        self._changing = False

    async def reports(self) -> list[NodeReport]:
        """All nodes in the order of their places."""
        states = await self._rotation.states()
        return [_report(node, states) for node in self._roster.nodes]

    def free_places(self) -> int:
        return self._roster.free_places()

    async def add(self, address: str | None, say: Say) -> None:
        """Start one more node, or let the one at host:port join."""
        with self._one_change():
            node = await (self._start(say) if address is None else self._locate(address))
            self._roster.put(node)
            try:
                await self._rotation.let_in(node)
            except StackError:
                # It never got players: its place is free again, and its process ends.
                self._roster.drop(node)
                await self._take_out(node)
                raise
            say(f"{node.name} at {node.address} has joined")

    async def drain(self, name: str, say: Say) -> None:
        """Send the node nothing new, let it finish, and stop it if `up` started it; it keeps its place."""
        with self._one_change():
            node = self._roster.find(name)
            if node.drained:
                raise StackError(f"{name} is drained already.")
            await self._require_others(name)
            await self._drain(node, say)

    async def remove(self, name: str, say: Say) -> None:
        """Drain the node unless it is drained, and free its place."""
        with self._one_change():
            node = self._roster.find(name)
            if not node.drained:
                await self._require_others(name)
                await self._drain(node, say)
            self._roster.drop(node)
            say(f"{name} is removed, its place is free")

    async def restart(self, say: Say) -> None:
        """Drain and restart, one after another, the nodes that `up` started and that aren't drained."""
        with self._one_change():
            ours = [node for node in self._roster.nodes if node.child is not None and not node.drained]
            if not ours:
                raise StackError("No node of ours is in rotation.")
            for node in ours:
                await self._require_others(node.name)
                await self._drain(node, say)
                await self._restart(node)
                say(f"{node.name} is back, as process {node.pid}")

    @contextlib.contextmanager
    def _one_change(self) -> Iterator[None]:
        if self._changing:
            raise StackError("Another change of the nodes is under way: ask again when it is done.")
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    async def _require_others(self, name: str) -> None:
        states = await self._rotation.states()
        ready = {node.name for node in self._roster.nodes if not node.drained and is_up(states, node.name)}
        if ready == {name}:
            raise StackError(f"{name} is the only node that is ready: without it nobody could play.")

    async def _start(self, say: Say) -> FleetNode:
        name = self._roster.free()
        address = self._roster.address_of_place(name)
        self._roster.require_new(address)
        process = self._make_node(name)
        await process.check()
        say(f"starting {name}")
        await self._supervisor.join(process)
        return FleetNode(name, address, process)

    async def _locate(self, address: str) -> FleetNode:
        name = self._roster.free()
        numeric = await joining.numeric(address)
        self._roster.require_new(numeric)
        await joining.require_like(numeric, [node.address for node in self._roster.nodes if not node.drained])
        return FleetNode(name, numeric, None)

    async def _drain(self, node: FleetNode, say: Say) -> None:
        node.drained = True
        try:
            await self._rotation.drain(node)
        except StackError:
            node.drained = False
            raise
        say(f"{node.name} gets nothing new")
        await self._take_out(node)
        say(f"{node.name} is drained")

    async def _take_out(self, node: FleetNode) -> None:
        """Stop the node if `up` started it, else wait until it is idle; then shut its place."""
        if node.child is not None:
            await self._supervisor.leave(node.child)
        else:
            with contextlib.suppress(StackError):
                await self._rotation.until_idle(node, self._drain_seconds)
        await self._rotation.shut(node)

    async def _restart(self, node: FleetNode) -> None:
        if node.child is None:
            return
        try:
            await self._supervisor.join(node.child)
            node.drained = False
            await self._rotation.let_in(node)
        except StackError as error:
            raise StackError(f"{node.name} didn't come back, and no further node was restarted: {error}") from None


def _report(node: FleetNode, states: ServerStates) -> NodeReport:
    by_backend = states.get(node.name, {})
    shown = {backend: by_backend.get(backend, ServerState("unknown", 0)).status for backend in BACKENDS}
    notes = [text for text, holds in (("not ours", node.child is None), ("drained", node.drained)) if holds]
    return NodeReport(node.name, node.address, shown, sessions(states, node.name), node.pid, " ".join(notes))
