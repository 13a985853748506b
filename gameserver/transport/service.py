"""Listens, and lets go: the outer life of a node's application.

Stop: readiness off, and for a notice's time all goes on, so that whoever sends players here can see it; then no new
connections, sockets told to go elsewhere, requests in flight answered, background work ended; each step with a
deadline. A second signal skips the waiting.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

import structlog
from aiohttp import web

from gameserver.config.deployment import NodeSettings
from gameserver.transport.keys import READINESS
from gameserver.transport.socket.sockets import SOCKETS
from gameserver.waiting import cancel_and_wait

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 75
CANCEL_SECONDS = 5
"""How long background work may go on after it was cancelled."""
Work = Coroutine[Any, Any, None]


class Stop:
    """What ends a node: the first signal begins the end, the second ends the waiting."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()

    def on_signals(self) -> None:
        """Hears SIGTERM and SIGINT of this process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._hear)

    def _hear(self) -> None:
        (self.hurried if self.asked.is_set() else self.asked).set()


@contextlib.asynccontextmanager
async def serving(
    app: web.Application, node: NodeSettings, background: Sequence[Work], stop: Stop
) -> AsyncIterator[None]:
    """Serves while the block runs; drains at its end. Raises OSError for a port that is taken."""
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        auto_decompress=False,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        shutdown_timeout=node.drain_seconds,
    )
    tasks = [asyncio.create_task(_watched(each, stop)) for each in background]
    try:
        await runner.setup()
        await _listen(runner, node)
        app[READINESS].ready = True
        log.info("serving", host=node.host, port=node.port, own_port=node.own_port)
        yield
        log.info("draining")
    finally:
        await _unless_hurried(_give_notice(app, node), stop)
        if not node.notice_seconds:
            await _stop_listening(runner)
        await _unless_hurried(app[SOCKETS].go_away(node.drain_seconds), stop)
        await _stop_listening(runner)
        await _unless_hurried(_clean_up(runner, node.drain_seconds), stop)
        await cancel_and_wait(tasks, CANCEL_SECONDS)
        log.info("stopped")
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


async def _watched(work: Work, stop: Stop) -> None:
    """Background work never ends by itself: if it does, the node does too."""
    try:
        await work
    except Exception:
        log.exception("background work died")
        raise
    finally:
        stop.asked.set()


async def _listen(runner: web.AppRunner, node: NodeSettings) -> None:
    await web.TCPSite(runner, node.host, node.port, reuse_port=True, backlog=1024).start()
    if node.own_port is not None:
        await web.TCPSite(runner, node.host, node.own_port).start()


async def _give_notice(app: web.Application, node: NodeSettings) -> None:
    readiness = app[READINESS]
    notice = node.notice_seconds if readiness.ready else 0
    readiness.ready = False
    await asyncio.sleep(notice)


async def _stop_listening(runner: web.AppRunner) -> None:
    """Before the sockets leave where nodes share a port, or newcomers would still come here.

    After that behind a proxy, which sends none and takes a node that doesn't answer its checks for dead, with all
    its sockets.
    """
    for site in list(runner.sites):
        await site.stop()


async def _clean_up(runner: web.AppRunner, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds + 1):
            await runner.cleanup()


async def _unless_hurried(work: Work, stop: Stop) -> None:
    task, hurried = asyncio.create_task(work), asyncio.create_task(stop.hurried.wait())
    await asyncio.wait([task, hurried], return_when=asyncio.FIRST_COMPLETED)
    await cancel_and_wait([task, hurried], CANCEL_SECONDS)
