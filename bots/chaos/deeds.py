"""What each kind of fault does to a stack. Every deed returns what came of it, or raises CantBeDoneError.

Law: of a deed that is cancelled nothing stays: what it stopped goes on, a cut ends. What `gameserver` was asked to do
it carries through by itself.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from random import Random

from bots.chaos import cuts, processes
from bots.chaos.errors import CantBeDoneError
from bots.chaos.orders import order
from bots.chaos.stack import RunningStack, StackServer
from bots.chaos.timetable import Due

BACK_SECONDS = 90.0
"""How long a server may take until it is back; replicas and members catch up first."""
ORDER_SECONDS = 150.0
WHY = ("--reason", "a fault by bots chaos")
"""Every change by the command line has a reason for the audit log."""
POLL_SECONDS = 0.05
STOP_SIGNALS = {"database": signal.SIGINT, "replica": signal.SIGINT, "haproxy": signal.SIGUSR1}
"""How a server is asked to end in its own orderly way; others by SIGTERM."""
FOLLOWS = ("walreceiver", "startup recovering", "startup waiting")
"""What the processes of a Postgres say that follows another one."""

Deed = Callable[[RunningStack, StackServer, Due], Awaitable[str]]


async def kill(stack: RunningStack, server: StackServer, _due: Due) -> str:
    """End all of its processes at once, as when its machine fails; `up` starts it again."""
    began = _now()
    ended = processes.kill(server.processes)
    return f"{ended} processes ended; {await _back(stack, server, began)}"


async def restart(stack: RunningStack, server: StackServer, _due: Due) -> str:
    """Ask it to end in its own orderly way; `up` starts it again."""
    began = _now()
    for process in server.processes[:1]:
        processes.tell(process, STOP_SIGNALS.get(server.kind, signal.SIGTERM))
    return await _back(stack, server, began)


async def freeze(_stack: RunningStack, server: StackServer, due: Due) -> str:
    """Let all of its processes do nothing for a while, as when its machine hangs."""
    stopped = processes.stop(server.processes)
    try:
        await asyncio.sleep(due.seconds)
    finally:
        processes.go_on(stopped)
    return f"{len(stopped)} processes did nothing for {due.seconds:g} s"


async def cut(_stack: RunningStack, server: StackServer, due: Due) -> str:
    """Drop every packet to and from its port for a while."""
    try:
        await cuts.cut(server.address, due.seconds)
        await asyncio.sleep(due.seconds)
    finally:
        await cuts.lift(server.address)
    return f"nothing reached port {cuts.port_of(server.address)} for {due.seconds:g} s"


async def drain(stack: RunningStack, server: StackServer, _due: Due) -> str:
    """Take a node out of rotation, let it finish and end it; then start another in its place."""
    if not any(each.kind == "haproxy" for each in stack.servers):
        raise CantBeDoneError("no HAProxy stands in front of the nodes")
    if server.kind != "node":
        raise CantBeDoneError(f"{server.name} isn't a node")
    began = _now()
    await order(stack, ("nodes", "remove", server.name, *WHY), ORDER_SECONDS)
    gone = _now()
    await order(stack, ("nodes", "add", *WHY), ORDER_SECONDS)
    return f"drained in {gone - began:.1f} s, and another node joined after {_now() - gone:.1f} s"


async def switchover(stack: RunningStack, server: StackServer, _due: Due) -> str:
    """Let a standby lead in its place, as planned maintenance does."""
    if server.kind != "member" or server.database is None:
        raise CantBeDoneError(f"{server.name} has no standby that could lead")
    began = _now()
    await order(stack, ("failover", "switchover", server.database, *WHY), ORDER_SECONDS)
    return f"another server of {server.database} leads after {_now() - began:.1f} s"


async def move(stack: RunningStack, due: Due) -> str:
    """Move some slots of a group to a database of it that is drawn, while players play."""
    random, databases = Random(due.draw), list(stack.groups[due.target])
    if len(databases) < 2:
        raise CantBeDoneError(f"the group {due.target} has one database")
    random.shuffle(databases)
    count = min(due.slots, stack.slots[due.target])
    first = random.randrange(stack.slots[due.target] - count + 1)
    slots = f"{first}-{first + count - 1}"
    began = _now()
    words = ("slots", "move", slots, "--group", due.target, *WHY, "--to")
    try:
        await order(stack, (*words, databases[0]), ORDER_SECONDS)
        target = databases[0]
    except CantBeDoneError as error:
        if "already" not in str(error):
            raise
        await order(stack, (*words, target := databases[1]), ORDER_SECONDS)
    return f"slots {slots} moved to {target} in {_now() - began:.1f} s"


DEEDS: Mapping[str, Deed] = {
    "kill": kill,
    "restart": restart,
    "freeze": freeze,
    "cut": cut,
    "drain": drain,
    "switchover": switchover,
}


def server_of(stack: RunningStack, due: Due) -> StackServer:
    """The server that a fault is for, as it is now: of a database that fails over, the one that leads."""
    if not due.target:
        raise CantBeDoneError(f"this stack has no {due.wanted}")
    server = stack.server(due.target)
    if server is None:
        members = [each for each in stack.servers if each.kind == "member" and each.database == due.target]
        server = next((member for member in members if _leads(member)), None)
    if server is None:
        raise CantBeDoneError(f"nothing leads {due.target}")
    if not any(map(processes.lives, server.processes)):
        raise CantBeDoneError(f"{server.name} isn't running")
    return server


def _leads(member: StackServer) -> bool:
    titles = [title for title in processes.titles(member.processes) if title.startswith("postgres:")]
    return bool(titles) and not any(word in title for title in titles for word in FOLLOWS)


async def _back(stack: RunningStack, server: StackServer, began: float) -> str:
    """Wait until other processes of the server run and it takes connections; says how long that took."""
    deadline = began + BACK_SECONDS
    while _now() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        now = stack.now()
        if now is None:
            return "`gameserver up` has ended"
        again = now.server(server.name)
        if again is not None and await _serves(now, again, server.processes):
            return f"back after {_now() - began:.1f} s"
    return f"not back after {BACK_SECONDS:g} s"


async def _serves(stack: RunningStack, server: StackServer, former: object) -> bool:
    if not server.processes or server.processes == former or not all(map(processes.lives, server.processes)):
        return False
    if server.kind == "node":
        return (stack.data / "run" / f"{server.name}.ready").exists()
    if server.kind == "receiver":
        return True
    return await _takes_connections(server.address)


async def _takes_connections(address: str) -> bool:
    host = address.partition("://")[2] or address
    try:
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(host.rpartition(":")[0].strip("[]"), cuts.port_of(address))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _now() -> float:
    return asyncio.get_running_loop().time()
