"""Serves a node's application, and drains it at the end.

Law: draining has five steps, each with a deadline, and a second signal skips the waiting. Readiness goes off and
everything goes on for `notice_seconds`, so that load balancers notice; then no new connections are accepted; sockets
are told to reconnect elsewhere; requests in flight are answered; background work is cancelled.
"""

import asyncio
import contextlib
import errno
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

import structlog
from aiohttp import web

from gameserver.config.deployment import NodeSettings
from gameserver.config.ports import address as parse_address
from gameserver.transport.callers.callers import CALLERS
from gameserver.transport.http.listening import Site
from gameserver.transport.http.shortcuts import with_shortcuts
from gameserver.transport.keys import READINESS
from gameserver.transport.socket.sockets import SOCKETS
from gameserver.waiting import cancel_and_wait

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 75
CANCEL_SECONDS = 5
"""How long background work may take to end after it was cancelled."""
Work = Coroutine[Any, Any, None]


class Stop:
    """Ends a node: the first signal begins to drain it, a second one skips the waiting."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.hurried = asyncio.Event()

    def on_signals(self) -> None:
        """Handles SIGTERM and SIGINT of this process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        (self.hurried if self.requested.is_set() else self.requested).set()


@contextlib.asynccontextmanager
async def serving(
    app: web.Application, node: NodeSettings, background: Sequence[Work], stop: Stop
) -> AsyncIterator[None]:
    """Serves while the block runs, and drains at its end. Raises OSError if the port is taken."""
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        auto_decompress=False,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        shutdown_timeout=node.drain_seconds,
    )
    tasks = [asyncio.create_task(_watched(work, stop)) for work in background]
    try:
        await runner.setup()
        _shorten(runner)
        await _listen(runner, node)
        app[READINESS].ready = True
        log.info("serving", host=node.host, port=node.port, own_port=node.own_port, operators=node.operators_listen)
        yield
        log.info("draining")
    finally:
        await _drain(runner, node, stop)
        # Background work ends last: requests in flight may need it.
        await cancel_and_wait(tasks, CANCEL_SECONDS)
        log.info("stopped")
    for task in tasks:
        if not task.done():
            log.warning("background work goes on although it was cancelled", work=str(task.get_coro()))
        elif not task.cancelled() and (error := task.exception()) is not None:
            raise error


def _shorten(runner: web.AppRunner) -> None:
    """Requests for fixed paths take the short way."""
    server = runner.server
    if not isinstance(server, web.Server):
        raise TypeError("the runner isn't set up")
    server.request_handler = with_shortcuts(runner.app, server.request_handler)


async def _drain(runner: web.AppRunner, node: NodeSettings, stop: Stop) -> None:
    # Readiness off; load balancers have the notice's time to see it.
    await _unless_hurried(_give_notice(runner.app, node), stop)
    if not node.notice_seconds:
        await _stop_listening(runner)
    # Sockets leave, then what is in flight is answered.
    await _unless_hurried(runner.app[SOCKETS].go_away(node.drain_seconds), stop)
    await _stop_listening(runner)
    await _unless_hurried(_clean_up(runner, node.drain_seconds), stop)


async def _watched(work: Work, stop: Stop) -> None:
    """Background work never ends by itself: if it does, the node ends, too."""
    try:
        await work
    except Exception:
        log.exception("background work died")
        raise
    finally:
        stop.requested.set()


async def _listen(runner: web.AppRunner, node: NodeSettings) -> None:
    """Nodes share `port` only if each has a port of its own, which is taken first: nothing shares it by mistake.

    Operators' doors are on the players' ports only if the settings say so; else they have a listener of their own, on
    which nothing is counted by address. It may be `own_port`, which players then don't reach.
    """
    with_operators, sources = node.operators_listen == "port", runner.app[CALLERS].sources
    apart = None if with_operators or node.operators_listen is None else parse_address(node.operators_listen)
    if node.own_port is not None and (apart is None or apart[1] != node.own_port):
        own = Site(runner, node.host, node.own_port, sources=sources, for_operators=with_operators)
        await _start(own, node.host, node.own_port, "node.own_port")
    if apart is not None:
        site = Site(runner, *apart, sources=None, for_operators=True)
        await _start(site, *apart, "node.own_port" if apart[1] == node.own_port else "node.operators_listen")
    shared = node.own_port is not None
    site = Site(runner, node.host, node.port, reuse_port=shared, sources=sources, for_operators=with_operators)
    await _start(site, node.host, node.port, "node.port")


async def _start(site: Site, host: str, port: int, setting: str) -> None:
    """Raises OSError, with what to do, for a port that can't be had."""
    try:
        await site.start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise OSError(f"Port {port} of {host} ({setting}) can't be listened on: {error.strerror}.") from None
        raise OSError(
            f"Port {port} of {host} is taken, perhaps by another node: stop what uses it, or set another one as "
            f"{setting}. Nodes share node.port only if each has a node.own_port."
        ) from None


async def _give_notice(app: web.Application, node: NodeSettings) -> None:
    readiness = app[READINESS]
    notice = node.notice_seconds if readiness.ready else 0
    readiness.ready, readiness.stopping = False, True
    await asyncio.sleep(notice)


async def _stop_listening(runner: web.AppRunner) -> None:
    """Accepts no more connections.

    Nodes that share a port do this before their sockets leave, or new clients would still connect here. A node behind
    a proxy does it after that: the proxy sends it no new clients, but would cut all sockets of a node that fails its
    checks.
    """
    for site in list(runner.sites):
        await site.stop()


async def _clean_up(runner: web.AppRunner, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds + 1):
            await runner.cleanup()


async def _unless_hurried(work: Work, stop: Stop) -> None:
    """Does the work, but no longer than until a second signal."""
    task, hurried = asyncio.create_task(work), asyncio.create_task(stop.hurried.wait())
    await asyncio.wait([task, hurried], return_when=asyncio.FIRST_COMPLETED)
    await cancel_and_wait([task, hurried], CANCEL_SECONDS)
