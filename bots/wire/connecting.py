"""Opens lean connections, each within OPEN_SECONDS, and raises the limit of open files for them."""

import asyncio
import resource
import ssl
from dataclasses import dataclass
from functools import cache

from yarl import URL

from bots.wire.rawhttp import AnswerListener, HttpConnection
from bots.wire.rawsocket import EndListener, SocketConnection, TextListener

OPEN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node listens; `authority` is the value of a request's Host header.

    `source` is the own address from which connections go there; the system chooses one if it is None.
    """

    host: str
    port: int
    authority: str
    encrypted: bool
    source: str | None = None

    @classmethod
    @cache
    def parse(cls, url: str) -> "Endpoint":
        """Read http://host:port or https://host:port."""
        parsed = URL(url)
        return cls(parsed.host or "", parsed.port or 80, parsed.authority, parsed.scheme == "https")


async def connect_http(endpoint: Endpoint, on_answer: AnswerListener, on_end: EndListener) -> HttpConnection:
    """Open an HTTP connection; raises ConnectionError or TimeoutError."""
    connection = HttpConnection(on_answer, on_end)
    async with asyncio.timeout(OPEN_SECONDS):
        await _connect(endpoint, connection)
    return connection


async def connect_socket(endpoint: Endpoint, on_text: TextListener, on_end: EndListener) -> SocketConnection:
    """Open a socket up to its handshake; raises ConnectionError or TimeoutError."""
    connection = SocketConnection(endpoint.authority, on_text, on_end)
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            await _connect(endpoint, connection)
            await connection.opened
    except BaseException:
        connection.close()
        raise
    return connection


async def _connect(endpoint: Endpoint, protocol: asyncio.Protocol) -> None:
    loop = asyncio.get_running_loop()
    context = _tls() if endpoint.encrypted else None
    own = None if endpoint.source is None else (endpoint.source, 0)
    await loop.create_connection(lambda: protocol, endpoint.host, endpoint.port, ssl=context, local_addr=own)


@cache
def _tls() -> ssl.SSLContext:
    """The system's certificates take milliseconds to load, for every connection if nothing is kept."""
    return ssl.create_default_context()


def allow_files(count: int) -> None:
    """Raise the limit of open files to `count`; raises OSError when the system allows fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    if hard != resource.RLIM_INFINITY and hard < count:
        raise OSError(f"{count} open files are needed and the system allows {hard}: raise `ulimit -n`")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
