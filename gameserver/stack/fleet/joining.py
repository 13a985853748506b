"""Checks of a node that `up` didn't start, before it joins HAProxy."""

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import Iterable, Mapping

from gameserver.config.ports import address as parse_address
from gameserver.config.ports import joined
from gameserver.stack.errors import StackError

_SECONDS = 3
_LONGEST_ANSWER = 4096


async def numeric(address: str) -> str:
    """host:port with a numeric host, as HAProxy's runtime API takes it. Raises StackError."""
    try:
        host, port = parse_address(address)
        async with asyncio.timeout(_SECONDS):
            addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except ValueError as error:
        raise StackError(f"{error}, such as 10.0.0.7:8080.") from None
    except (OSError, TimeoutError):
        raise StackError(f"The host of {address} isn't found.") from None
    return joined(str(addresses[0][4][0]), port)


async def require_like(address: str, others: Iterable[str]) -> None:
    """Raises StackError unless a node answers at the address that is ready and of the deployment of `others`.

    Those are the addresses of the nodes that are there already: the first of them that answers says what that is.
    """
    own = (await _readiness(address)).get("deployment")
    if not own:
        raise StackError(
            f"The node at {address} doesn't say of which deployment it is: it is of an earlier version, or its control "
            "database hasn't answered it yet."
        )
    for other in others:
        with contextlib.suppress(StackError):
            if theirs := (await _readiness(other)).get("deployment"):
                break
    else:
        raise StackError(f"No node that is there says of which deployment it is, so that of {address} can't be told.")
    if own != theirs:
        raise StackError(
            f"The node at {address} is of another deployment ({own}) than the one at {other} ({theirs}): its players "
            "are in other databases. Start it with this deployment's settings."
        )


async def _readiness(address: str) -> Mapping[str, object]:
    """What a ready node says. Raises StackError."""
    try:
        readiness = await asyncio.to_thread(_get_readiness, *parse_address(address))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise StackError(f"No node answers at {address}: {error}.") from None
    if isinstance(readiness, dict) and "nodes" in readiness:
        raise StackError(f"No node answers at {address}: that is HAProxy.")
    if not (isinstance(readiness, dict) and readiness.get("ready") is True):
        raise StackError(f"What answers at {address} isn't a node that is ready.")
    return readiness


def _get_readiness(host: str, port: int) -> object:
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/ready?deployment=show")
        return json.loads(connection.getresponse().read(_LONGEST_ANSWER))
    finally:
        connection.close()
