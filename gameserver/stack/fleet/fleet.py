"""The nodes behind HAProxy while they run: join, drain, leave, roll over.

Law: a change is written in the roster first and told to HAProxy then, again until HAProxy has taken it; a HAProxy that
starts meanwhile is given the roster as its configuration. So whichever of both was killed, they agree in the end. A
node is told to stop only when HAProxy has stopped sending to it. One change at a time; a refused one changes nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from gameserver.config.ports import address as parse_address
from gameserver.stack.errors import StackError
from gameserver.stack.fleet import joining
from gameserver.stack.fleet.roster import FleetNode, Roster
from gameserver.stack.processes.supervisor import Supervisor
from gameserver.stack.servers.haproxy_api import BACKENDS, RuntimeApi, ServerState, ServerStates, is_up, sessions
from gameserver.stack.servers.node import NodeProcess

Say = Callable[[str], None]
_TOLD_SECONDS = 20
_UP_SECONDS = 30
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node as operators see it; no state where HAProxy didn't tell one."""

    name: str
    address: str
    states: dict[str, str]
    """By backend."""
    sessions: int
    pid: int | None
    """None for a node that isn't running, or that somebody else runs."""
    note: str


class Fleet:
    """Every change of the nodes. All methods raise StackError, whose text is the reason."""

    def __init__(
        self,
        supervisor: Supervisor,
        roster: Roster,
        api: RuntimeApi,
        make_node: Callable[[str], NodeProcess],
        patience: float,
    ) -> None:
        """`patience`: seconds that what is open on somebody else's node gets to end."""
        self._supervisor = supervisor
        self._roster = roster
        self._api = api
        self._make_node = make_node
        self._patience = patience
        self._changing = False

    async def seen(self) -> list[NodeReport]:
        """All nodes in the order of their places."""
        states = await self._api.states()
        return [_seen(member, states) for member in self._roster.members]

    def free_places(self) -> int:
        return self._roster.free_places()

    async def add(self, address: str | None, say: Say) -> None:
        """Start one more node, or let the one at host:port join."""
        with self._alone():
            member = await (self._started(say) if address is None else self._found(address))
            self._roster.put(member)
            try:
                await self._let_in(member)
            except StackError:
                self._roster.drop(member)
                await self._take_out(member)
                raise
            say(f"{member.name} at {member.address} has joined")

    async def drain(self, name: str, say: Say) -> None:
        """Send it nothing new, let it finish, and stop it if it is ours; it keeps its place."""
        with self._alone():
            member = self._roster.find(name)
            if member.drained:
                raise StackError(f"{name} is drained already.")
            await self._require_others(name)
            await self._drain(member, say)

    async def remove(self, name: str, say: Say) -> None:
        """Drain it unless it is, and free its place."""
        with self._alone():
            member = self._roster.find(name)
            if not member.drained:
                await self._require_others(name)
                await self._drain(member, say)
            self._roster.drop(member)
            say(f"{name} is removed, its place is free")

    async def restart(self, say: Say) -> None:
        """Drain and start anew every node of ours that isn't drained, one after another."""
        with self._alone():
            ours = [each for each in self._roster.members if each.node is not None and not each.drained]
            if not ours:
                raise StackError("No node of ours is in rotation.")
            for member in ours:
                await self._require_others(member.name)
                await self._drain(member, say)
                await self._start_again(member)
                say(f"{member.name} is back, as process {member.node.process.pid if member.node else None}")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if self._changing:
            raise StackError("Another change of the nodes is under way: ask again when it is done.")
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    async def _require_others(self, name: str) -> None:
        states = await self._api.states()
        ready = {each.name for each in self._roster.members if not each.drained and is_up(states, each.name)}
        if ready == {name}:
            raise StackError(f"{name} is the only node that is ready: without it nobody could play.")

    async def _started(self, say: Say) -> FleetNode:
        name = self._roster.free()
        address = self._roster.own_address(name)
        self._roster.require_new(address)
        node = self._make_node(name)
        await node.check()
        say(f"starting {name}")
        await self._supervisor.join(node)
        return FleetNode(name, address, node)

    async def _found(self, address: str) -> FleetNode:
        name = self._roster.free()
        found = await joining.numeric(address)
        self._roster.require_new(found)
        await joining.require_ready(found)
        return FleetNode(name, found, None)

    async def _let_in(self, member: FleetNode) -> None:
        host, port = parse_address(member.address)
        await self._tell(lambda: self._api.let_in(member.name, host, port))
        await self._until(lambda states: is_up(states, member.name), _UP_SECONDS, f"{member.name} isn't up in HAProxy")

    async def _drain(self, member: FleetNode, say: Say) -> None:
        member.drained = True
        try:
            await self._tell(lambda: self._api.drain(member.name))
        except StackError:
            member.drained = False
            raise
        say(f"{member.name} gets nothing new")
        await self._take_out(member)
        say(f"{member.name} is drained")

    async def _take_out(self, member: FleetNode) -> None:
        """Let it end, if it is ours, or else what is open on it, and shut its place."""
        if member.node is not None:
            await self._supervisor.leave(member.node)
        else:
            with contextlib.suppress(StackError):
                await self._until(lambda states: sessions(states, member.name) == 0, self._patience, "it isn't idle")
        await self._tell(lambda: self._api.shut(member.name))

    async def _start_again(self, member: FleetNode) -> None:
        if member.node is None:
            return
        try:
            await self._supervisor.join(member.node)
            member.drained = False
            await self._let_in(member)
        except StackError as error:
            raise StackError(f"{member.name} didn't come back, and no further node was restarted: {error}") from None

    async def _tell(self, order: Callable[[], Awaitable[None]]) -> None:
        """Tell HAProxy, again while it doesn't answer, as when it is just being started anew."""
        end = asyncio.get_running_loop().time() + _TOLD_SECONDS
        while True:
            try:
                return await order()
            except StackError:
                if asyncio.get_running_loop().time() > end:
                    raise
            await asyncio.sleep(_POLL_SECONDS)

    async def _until(self, holds: Callable[[ServerStates], bool], seconds: float, otherwise: str) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while True:
            with contextlib.suppress(StackError):
                if holds(await self._api.states()):
                    return
            if asyncio.get_running_loop().time() > end:
                raise StackError(f"After {seconds:g} s {otherwise}.")
            await asyncio.sleep(_POLL_SECONDS)


def _seen(member: FleetNode, states: ServerStates) -> NodeReport:
    found = states.get(member.name, {})
    shown = {backend: found.get(backend, ServerState("unknown", 0)).status for backend in BACKENDS}
    note = "drained" if member.drained else ""
    if member.node is None:
        return NodeReport(
            member.name, member.address, shown, sessions(states, member.name), None, f"not ours {note}".strip()
        )
    return NodeReport(member.name, member.address, shown, sessions(states, member.name), member.node.process.pid, note)
