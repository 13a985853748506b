"""Runs servers as children: starts them in phases, restarts what dies by itself, stops all in reverse order.

    async with Supervisor([*databases, redis, *nodes], lock=data / "up.lock") as supervisor:
        await supervisor.start(*databases, redis)
        await supervisor.start(*nodes)
        await supervisor.run()

Others may join and leave while it runs. The first SIGTERM, SIGINT or SIGHUP cancels the block wherever it is, the
children are stopped within their deadlines, and the block ends as if it had come to its end. The second one kills
them.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from gameserver.stack.errors import StackError
from gameserver.stack.processes.child import Child
from gameserver.stack.processes.lock import FolderLock

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_FIRST_DELAY = 0.2
_LONGEST_DELAY = 5.0
_STEADY_SECONDS = 10.0
"""After which a child that dies is taken to have been well."""
_log = structlog.get_logger()


class Supervisor:
    """Owns its children from `async with` to its end; the file `lock` keeps a second one off their data."""

    def __init__(self, children: Sequence[Child], *, lock: Path) -> None:
        self._children = list(children)
        self._claim = FolderLock(lock)
        self._phases: list[list[Child]] = []
        self._watchers: dict[Child, asyncio.Task[None]] = {}
        self._lost_watcher = asyncio.Event()
        self._owner: asyncio.Task[object] | None = None
        self._signalled = False
        self._stopping = False
        self._checked = False
        ignored = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
        self._signals = [number for number in _SIGNALS if number not in ignored]

    async def __aenter__(self) -> Self:
        """Raises StackError when another supervisor has the lock."""
        if not self._claim.take():
            raise StackError(f"Another `gameserver up` already runs on {self._claim.path.parent}: stop it first.")
        self._owner = asyncio.current_task()
        for number in self._signals:
            asyncio.get_running_loop().add_signal_handler(number, self._signal)
        return self

    async def start(self, *children: Child) -> None:
        """Start one phase, all of it at the same time, and watch over it.

        Before the first phase every child of every phase is checked, so nothing is started when one can't be.
        Raises StackError.
        """
        if not self._checked:
            await _all(self._children, lambda child: child.claim())
            for child in self._children:
                await child.check()
            self._checked = True
        self._phases.append(list(children))
        await _all(children, lambda child: child.start())
        for child in children:
            self._watch(child)

    async def join(self, child: Child) -> None:
        """Start one more with the last phase, and watch over it; it may be one that was given at first.

        Raises StackError; it then isn't running and isn't ours.
        """
        if child not in self._children:
            self._children.append(child)
        self._phases[-1].append(child)
        try:
            await child.start()
        except StackError:
            self._forget(child)
            raise
        self._watch(child)

    async def leave(self, child: Child) -> None:
        """Stop a child within its own deadline, and don't start it again."""
        if (watcher := self._watchers.pop(child, None)) is not None:
            watcher.cancel()
            await asyncio.wait([watcher])
        await child.stop()
        self._forget(child)

    async def run(self) -> None:
        """Keep the children running until a signal comes."""
        await self._lost_watcher.wait()
        await asyncio.gather(*(each for each in self._watchers.values() if each.done()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._stopping = True
        try:
            await self._stop()
        finally:
            for number in self._signals:
                asyncio.get_running_loop().remove_signal_handler(number)
            self._claim.release()
        if not self._signalled or self._owner is None or self._owner.uncancel() > 0:
            return False
        return kind is not None and issubclass(kind, asyncio.CancelledError)

    async def _stop(self) -> None:
        for watcher in self._watchers.values():
            watcher.cancel()
        await asyncio.gather(*self._watchers.values(), return_exceptions=True)
        started = {child for phase in self._phases for child in phase}
        never_started = [child for child in self._children if child not in started]
        for phase in (*reversed(self._phases), never_started):
            await asyncio.gather(*(child.stop() for child in phase))

    def _watch(self, child: Child) -> None:
        watcher = self._watchers[child] = asyncio.create_task(_keep(child))
        watcher.add_done_callback(lambda task: None if task.cancelled() else self._lost_watcher.set())

    def _forget(self, child: Child) -> None:
        self._children.remove(child)
        for phase in self._phases:
            if child in phase:
                phase.remove(child)

    def _signal(self) -> None:
        if self._signalled or self._stopping:
            _log.warning("told to stop a second time: killing what still runs")
            for child in self._children:
                child.kill()
        elif self._owner is not None:
            _log.info("stopping")
            self._signalled = True
            self._owner.cancel()


async def _keep(child: Child) -> None:
    """Start a child again whenever it dies."""
    clock = asyncio.get_running_loop().time
    delay = _FIRST_DELAY
    while True:
        started = clock()
        await child.process.ended()
        if clock() - started > _STEADY_SECONDS:
            delay = _FIRST_DELAY
        process = child.process
        _log.warning(f"{process.name} died ({process.status_text}), its log is {process.log}; it is started again")
        delay = await _start_again(child, delay)


async def _start_again(child: Child, delay: float) -> float:
    """Try until it starts; gives the delay before the next try."""
    while True:
        await asyncio.sleep(delay)
        delay = min(delay * 2, _LONGEST_DELAY)
        try:
            await child.start()
        except StackError as error:
            _log.error(f"{child.process.name} can't be started again, next try in {delay:g} s: {error}")
        else:
            return delay


async def _all(children: Sequence[Child], act: Callable[[Child], Coroutine[object, object, None]]) -> None:
    """Do something with every child at the same time; the first failure ends the others and is raised."""
    tasks = [asyncio.create_task(act(child)) for child in children]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
