"""Ends a member whose Patroni hangs, as the watchdog of a machine does: before its lease ends and another one leads.

Law: it can only end a server, which Patroni allows for at any moment, and it never touches one whose Patroni hasn't
answered since it started: that one waits for etcd, and its Postgres goes on meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog

from gameserver.stack.servers.patroni import PatroniServer
from gameserver.waiting import cancel_and_wait

HANGS_SECONDS = 9.0
"""Of silence; with the time until it is noticed, well within a lease of 20 s."""
_LOOK_SECONDS = 1.0
_LOOKS = 3
_log = structlog.get_logger()


@asynccontextmanager
async def watched(members: Iterable[PatroniServer]) -> AsyncIterator[None]:
    """Looks at the members once a second while the block runs."""
    tasks = [asyncio.create_task(_watch(member)) for member in members]
    try:
        yield
    finally:
        await cancel_and_wait(tasks)


async def _watch(member: PatroniServer) -> None:
    clock = asyncio.get_running_loop().time
    answered, last, silent = None, clock(), 0
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        pid = member.process.pid
        if pid is not None and await member.answers():
            answered, last, silent = pid, clock(), 0
        elif pid is None or pid != answered:
            last, silent = clock(), 0
        else:
            silent += 1
        # Several looks: after a sleep of the whole machine the time alone says nothing.
        if silent >= _LOOKS and clock() - last > HANGS_SECONDS:
            _log.warning(f"{member.process.name} hangs: it and its Postgres are killed")
            member.kill()
            last, silent = clock(), 0
