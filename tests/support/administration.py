"""Statements to every standing Postgres, over connections that are kept, on an event loop of their own.

A test has its own event loop, which ends with it, and with it every TCP connection of the process; one of these, over
a Unix socket, serves all tests. So the database of the next test is made while a test runs, and that of the last one is
dropped: neither is waited for.
"""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import Any

import asyncpg
import uvloop

SECONDS = 60.0
CLOSE_SECONDS = 0.02
"""Until a connection that was ended has gone from the loop, too."""


class Administration:
    """To be closed. What it does, it does one after the other."""

    def __init__(self, addresses: Mapping[str, Mapping[str, Any]]) -> None:
        """Each is what `asyncpg.connect` takes for the superuser's own database on a server."""
        self._addresses = addresses
        self._connections: dict[str, asyncpg.Connection] = {}
        self._loop = uvloop.new_event_loop()
        self._turn = asyncio.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def begin(self, *statements: str) -> Future[None]:
        """Executes each of them on all servers at once. The future raises driver errors."""
        return self._begun(self._execute(statements))

    async def everywhere(self, *statements: str) -> None:
        """The same, awaited."""
        await asyncio.wrap_future(self.begin(*statements))

    def close(self) -> None:
        """After what has begun."""
        self._begun(self._close()).result(SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _begun(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _execute(self, statements: tuple[str, ...]) -> None:
        async with self._turn:
            for statement in statements:
                await asyncio.gather(*(self._one(name, statement) for name in self._addresses))

    async def _one(self, name: str, statement: str) -> None:
        """Once more over a new connection if the server was restarted, or a test has ended all of its connections."""
        kept = self._connections.get(name)
        if kept is not None and not kept.is_closed():
            try:
                await kept.execute(statement, timeout=SECONDS)
            except (OSError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError):
                kept.terminate()
            else:
                return
        kept = self._connections[name] = await asyncpg.connect(**self._addresses[name], timeout=SECONDS)
        await kept.execute(statement, timeout=SECONDS)

    async def _close(self) -> None:
        async with self._turn:
            for connection in self._connections.values():
                connection.terminate()
            await asyncio.sleep(CLOSE_SECONDS)
