"""A port in front of a database that is slow, or silent as a frozen server or a lost network is, until it is opened."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urlsplit, urlunsplit

CHUNK = 1 << 16


class Wire:
    """Takes connections and says nothing; once opened, new connections are led to the database."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._open = False
        self.delay = 0.0
        """Seconds by which everything that the database says comes later."""
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    @property
    def url(self) -> str:
        """The database's URL, by way of this port."""
        port = self._server.sockets[0].getsockname()[1]
        address = f"{self._target.netloc.rsplit('@', 1)[0]}@127.0.0.1:{port}"
        return urlunsplit(self._target._replace(netloc=address, query="sslmode=disable"))

    def open(self) -> None:
        """Leads new connections to the database, and ends those that were held in silence."""
        self._open = True
        self.cut()

    def cut(self) -> None:
        """Ends every connection."""
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.close()

    def silence(self) -> None:
        """Says nothing to new connections, and ends the others."""
        self._open = False
        self.cut()

    def refuse(self) -> None:
        """Takes no connection, and ends those that there are."""
        self._port = self._server.sockets[0].getsockname()[1]
        self._server.close()
        self.cut()

    async def serve_again(self) -> None:
        """Leads to the database, also after `refuse`."""
        if not self._server.is_serving():
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self.open()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if not self._open:
            return
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers.append(back)
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer, answers=True))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the latter is uvloop's, of a connection that was cut
            while chunk := await reader.read(CHUNK):
                if answers and self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(chunk)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    """A silent wire to the database of a URL."""
    async with Wire(url) as wire:
        yield wire
