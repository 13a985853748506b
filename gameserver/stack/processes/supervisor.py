"""Runs servers as children: starts them in phases, restarts the ones that die, stops all in reverse order.

    async with Supervisor([*databases, redis, *nodes], lock=data / "up.lock") as supervisor:
        await supervisor.start(*databases, redis)
        await supervisor.start(*nodes)
        await supervisor.run()

Children may join and leave while it runs. The first SIGTERM, SIGINT or SIGHUP cancels the block wherever it is, stops
the children within their deadlines, and the block ends normally. A second signal kills the children.
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
from gameserver.waiting import cancel_and_wait

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_FIRST_DELAY = 0.2
_LONGEST_DELAY = 5.0
_ROTATE_SECONDS = 1.0
"""How often the logs are looked at: what is written meanwhile is what a log may be too long."""
_STEADY_SECONDS = 10.0
"""A child that ran this long was healthy: its next restart begins with the first delay again."""
_log = structlog.get_logger()


class Supervisor:
    """Owns its children while its block runs; the file `lock` keeps a second supervisor off their data."""

    def __init__(self, children: Sequence[Child], *, lock: Path) -> None:
        self._children = list(children)
        self._lock = FolderLock(lock)
        self._phases: list[list[Child]] = []
        self._watchers: dict[Child, asyncio.Task[None]] = {}
        self._watcher_failed = asyncio.Event()
        self._rotating: asyncio.Task[None] | None = None
        self._owner: asyncio.Task[object] | None = None
        self._signalled = False
        self._stopping = False
        self._checked = False
        ignored = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
        self._signals = [number for number in _SIGNALS if number not in ignored]

    @property
    def children(self) -> list[Child]:
        """Those that it owns now."""
        return list(self._children)

    async def __aenter__(self) -> Self:
        """Raises StackError when another supervisor holds the lock."""
        if not self._lock.acquire():
            raise StackError(f"Another `gameserver up` already runs on {self._lock.path.parent}: stop it first.")
        self._owner = asyncio.current_task()
        for number in self._signals:
            asyncio.get_running_loop().add_signal_handler(number, self._signal)
        self._rotating = asyncio.create_task(self._rotate_logs_for_ever())
        return self

    async def start(self, *children: Child) -> None:
        """Start the children of one phase concurrently, and restart from then on the ones that die.

        Before the first phase the children of all phases but those of `keep` are checked, so that nothing is started
        when a later one can't be. Raises StackError.
        """
        if not self._checked:
            checked = [child for child in self._children if child not in self._watchers]
            await _concurrently(checked, lambda child: child.wait_for_earlier_run())
            for child in checked:
                await child.check()
            self._checked = True
        self._phases.append(list(children))
        await _concurrently(children, lambda child: child.start())
        for child in children:
            self._watch(child, _keep_running(child))

    def keep(self, *children: Child) -> None:
        """Add a phase of children that are each tried by themselves until they start, and from then on kept running.

        One that can't start is a line in the log, and keeps nobody else from starting. The constructor didn't get them.
        """
        self._children += children
        self._phases.append(list(children))
        for child in children:
            self._watch(child, _start_and_keep(child))

    async def join(self, child: Child) -> None:
        """Add a child to the last phase and start it; it may also be one that the constructor got.

        Raises StackError; the child then isn't running, and isn't supervised.
        """
        if child not in self._children:
            self._children.append(child)
        self._phases[-1].append(child)
        try:
            await child.start()
        except Exception:
            self._forget(child)
            raise
        self._watch(child, _keep_running(child))

    async def leave(self, child: Child) -> None:
        """Stop a child within its own deadline, for good."""
        if (watcher := self._watchers.pop(child, None)) is not None:
            await cancel_and_wait([watcher])
        await child.stop()
        self._forget(child)

    async def run(self) -> None:
        """Keep the children running until a signal comes."""
        await self._watcher_failed.wait()
        await asyncio.gather(*(watcher for watcher in self._watchers.values() if watcher.done()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._stopping = True
        try:
            await self._stop()
        finally:
            for number in self._signals:
                asyncio.get_running_loop().remove_signal_handler(number)
            self._lock.release()
        # Only the cancellation by our own signal handler ends here; any other is passed on.
        if not self._signalled or self._owner is None or self._owner.uncancel() > 0:
            return False
        return kind is not None and issubclass(kind, asyncio.CancelledError)

    async def _rotate_logs_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_ROTATE_SECONDS)
            for child in list(self._children):
                await asyncio.to_thread(child.process.rotate_log)

    async def _stop(self) -> None:
        # The watchers first, so that none restarts a child that is being stopped.
        await cancel_and_wait(self._watchers.values())
        # The phases from last to first; then the children that no phase has started, whose locks are still held.
        started = {child for phase in self._phases for child in phase}
        never_started = [child for child in self._children if child not in started]
        for phase in (*reversed(self._phases), never_started):
            await asyncio.gather(*(child.stop() for child in phase))
        await cancel_and_wait([self._rotating] if self._rotating is not None else [])

    def _watch(self, child: Child, watching: Coroutine[object, object, None]) -> None:
        watcher = self._watchers[child] = asyncio.create_task(watching)
        watcher.add_done_callback(lambda task: None if task.cancelled() else self._watcher_failed.set())

    def _forget(self, child: Child) -> None:
        self._children.remove(child)
        for phase in self._phases:
            if child in phase:
                phase.remove(child)

    def _signal(self) -> None:
        if self._signalled or self._stopping:
            _log.warning("a second signal to stop: killing the servers that still run")
            for child in self._children:
                child.kill()
        elif self._owner is not None:
            _log.info("stopping")
            self._signalled = True
            self._owner.cancel()


async def _start_and_keep(child: Child) -> None:
    await _keep_running(child, await _restart(child, 0))


async def _keep_running(child: Child, delay: float = _FIRST_DELAY) -> None:
    """Start a child again whenever it dies."""
    clock = asyncio.get_running_loop().time
    while True:
        started = clock()
        await child.process.ended()
        if clock() - started > _STEADY_SECONDS:
            delay = _FIRST_DELAY
        process = child.process
        _log.warning(f"{process.name} died ({process.status_text}), its log is {process.log}; it is started again")
        delay = await _restart(child, delay)


async def _restart(child: Child, delay: float) -> float:
    """Try until it starts; returns the delay before the first try of the next restart."""
    while True:
        await asyncio.sleep(delay)
        delay = min(max(delay * 2, _FIRST_DELAY), _LONGEST_DELAY)
        try:
            await child.start()
        except StackError as error:
            _log.error(f"{child.process.name} can't be started, next try in {delay:g} s: {error}")
        except Exception:  # what nobody thought of must not end the others
            _log.exception(f"{child.process.name} can't be started, next try in {delay:g} s")
        else:
            return delay


async def _concurrently(children: Sequence[Child], act: Callable[[Child], Coroutine[object, object, None]]) -> None:
    """Act on every child at the same time; the first failure cancels the others and is raised."""
    tasks = [asyncio.create_task(act(child)) for child in children]
    try:
        await asyncio.gather(*tasks)
    finally:
        await cancel_and_wait(tasks)
