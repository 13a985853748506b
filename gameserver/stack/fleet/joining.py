"""What is asked of a node that somebody else runs before HAProxy gets to know it."""

import asyncio
import http.client
import json
import socket

from gameserver.config.ports import address as parse_address
from gameserver.stack.errors import StackError
from gameserver.stack.servers.haproxy_config import joined

_SECONDS = 3
_LONGEST_ANSWER = 4096


async def numeric(address: str) -> str:
    """host:port with a numeric host, as HAProxy's runtime API takes it. Raises StackError."""
    try:
        host, port = parse_address(address)
        async with asyncio.timeout(_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except ValueError as error:
        raise StackError(f"{error}, such as 10.0.0.7:8080.") from None
    except (OSError, TimeoutError):
        raise StackError(f"The host of {address} isn't found.") from None
    return joined(str(found[0][4][0]), port)


async def require_ready(address: str) -> None:
    """Raises StackError unless a node that is ready answers there."""
    try:
        told = await asyncio.to_thread(_answer, *parse_address(address))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StackError(f"No node answers at {address}: {error}.") from None
    if told != {"ready": True}:
        raise StackError(f"What answers at {address} isn't a node that is ready.")


def _answer(host: str, port: int) -> object:
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/ready")
        return json.loads(connection.getresponse().read(_LONGEST_ANSWER))
    finally:
        connection.close()
