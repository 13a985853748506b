"""Addresses that lead where a test wants: to a server, to silence, or to nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Switch:
    """An address of its own, `port`, that passes connections on to the port `to`; None for silence."""

    def __init__(self, to: int | None) -> None:
        self.to, self.port = to, 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Takes connections, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Refuses connections; those that there are go on."""
        if self._server is not None:
            self._server.close()

    def cut(self) -> None:
        """Ends the connections that there are."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self.to is None:
            return
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self.to)
            self._writers.add(back)
            for source, target in ((reader, back), (there, writer)):
                task = asyncio.create_task(_pass_on(source, target))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await source.read(1 << 16):
            target.write(part)
            await target.drain()
    target.close()


@asynccontextmanager
async def switched(to: int | None) -> AsyncIterator[Switch]:
    """A switch that is open."""
    switch = Switch(to)
    await switch.open()
    try:
        yield switch
    finally:
        switch.close()
        switch.cut()
