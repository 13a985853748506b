"""What one hostile address does to doors that know nobody yet: connections, heads, bodies, sockets and tokens.

Each says by what it is answered that it has met its bound: `refused` and `closed` connections, and the statuses 408 and
429. At HAProxy a connection beyond an address' share is closed before anything of it is read.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from urllib.parse import urlsplit

from aiohttp import ClientWebSocketResponse, WSMsgType

from tests.bench.attacks import AT_ONCE, FRAME, Attack, on_sockets, repeat

HEAD = b"GET /v1/boards HTTP/1.1\r\nHost: game\r\nX-Slow: "
BODY = (
    b'POST /v1/sessions HTTP/1.1\r\nHost: game\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{"device'
)
GARBAGE = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS, or nothing at all\r\n\r\n"
FRAMES = (
    FRAME,
    '{"id":3,"op":"items"}',
    '{"id":4,"op":"board","board":"exp"}',
    '{"id":5,"op":"around","board":"exp"}',
    '{"id":6,"op":"subscribe","topics":["player","rank:exp"]}',
    '{"id":7,"op":"ping"}',
)
HELD = 700
"""More connections than one address may have."""
GLANCE_SECONDS = 0.1
"""In which a connection that is refused has been closed."""
PAUSE = 0.05


async def handshakes(attack: Attack) -> None:
    """Connections that are closed again at once, one after the other."""

    async def glance(reader: asyncio.StreamReader) -> None:
        try:
            async with asyncio.timeout(GLANCE_SECONDS):
                await _hear(attack, reader, "refused")
        except TimeoutError:
            attack.heard["taken"] += 1

    await _connections(attack, AT_ONCE, b"", glance, 0.0)


async def half_heads(attack: Attack) -> None:
    """Half of a request's head on each connection, as many as the server takes."""
    await _connections(attack, HELD, HEAD, lambda reader: _hear(attack, reader, "closed"), PAUSE)


async def half_bodies(attack: Attack) -> None:
    """A whole head and the beginning of a body on each connection, as many as the server takes."""
    await _connections(attack, HELD, BODY, lambda reader: _hear(attack, reader, "closed"), PAUSE)


async def garbage(attack: Attack) -> None:
    """What isn't HTTP."""
    await _connections(attack, AT_ONCE, GARBAGE, lambda reader: _hear(attack, reader, "closed"), 0.005)


async def no_tokens(attack: Attack) -> None:
    """What needs a session, without one."""
    await repeat(attack, lambda _: attack.ask("POST", "/v1/players/me/actions", {"action": "rest", "args": {}}))


async def wrong_tokens(attack: Attack) -> None:
    """Tokens of sessions that aren't there, each of which Redis is asked about."""

    async def one(number: int) -> None:
        stranger = attack.strangers[number % len(attack.strangers)]
        await attack.ask("GET", "/v1/players/me", token=f"{stranger}.{os.urandom(32).hex()[:43]}")

    await repeat(attack, one)


async def device_guesses(attack: Attack) -> None:
    """Sign-ins by devices that nobody has."""
    await repeat(attack, lambda _: attack.ask("POST", "/v1/sessions", {"device": os.urandom(24).hex()}))


async def wrong_hellos(attack: Attack) -> None:
    """Sockets that say hello with a token that isn't one, one after the other."""

    async def greet(socket: ClientWebSocketResponse) -> None:
        await socket.send_json({"id": 1, "op": "hello", "token": f"{attack.strangers[0]}.{'x' * 43}"})
        await _until_closed(attack, socket)

    await asyncio.gather(*(on_sockets(attack, greet) for _ in range(AT_ONCE)))


async def frames(attack: Attack) -> None:
    """One account's sockets that ask on and on, and read what is answered."""

    async def converse(socket: ClientWebSocketResponse) -> None:
        await socket.send_json({"id": 1, "op": "hello", "token": attack.token})
        asking = asyncio.create_task(_ask_on(socket))
        try:
            await _until_closed(attack, socket)
        finally:
            asking.cancel()

    await asyncio.gather(*(on_sockets(attack, converse) for _ in range(AT_ONCE)))


async def _ask_on(socket: ClientWebSocketResponse) -> None:
    for frame in cycle(FRAMES):
        if socket.closed:
            return
        await socket.send_str(frame)
        await asyncio.sleep(0)  # to send may take no turn of the loop


async def _until_closed(attack: Attack, socket: ClientWebSocketResponse) -> None:
    while (await socket.receive()).type is WSMsgType.TEXT:
        attack.heard["answers"] += 1
    attack.heard[f"closed {socket.close_code}"] += 1


async def _connections(
    attack: Attack,
    at_once: int,
    first: bytes,
    use: Callable[[asyncio.StreamReader], Awaitable[None]],
    pause: float,
) -> None:
    """Connections that begin with these bytes, so many at a time, one after the other, until the time is up."""
    address = urlsplit(attack.url)

    async def one() -> None:
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection(
                    address.hostname, address.port, local_addr=(attack.source, 0)
                )
        except (OSError, TimeoutError) as error:
            attack.heard[type(error).__name__] += 1
            return
        attack.heard["connected"] += 1
        try:
            writer.write(first)
            await use(reader)
        finally:
            writer.transport.abort()

    async def loop() -> None:
        while time.monotonic() < attack.until:
            await one()
            await asyncio.sleep(pause)

    loops = [asyncio.create_task(loop()) for _ in range(at_once)]
    await asyncio.sleep(attack.until - time.monotonic())
    for each in loops:
        each.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


async def _hear(attack: Attack, reader: asyncio.StreamReader, nothing: str) -> None:
    """Notes the status that is answered, or `nothing` when the connection is closed without an answer."""
    try:
        line = (await reader.readline()).split()
    except (OSError, ValueError):
        line = []
    attack.heard[line[1].decode("ascii", "replace") if len(line) > 1 else nothing] += 1


async def probes(attack: Attack) -> None:
    """What says how a node is, which balancers and collectors ask."""
    paths = ("/live", "/ready", "/metrics")
    await repeat(attack, lambda number: attack.ask("GET", paths[number % len(paths)]))


async def documents(attack: Attack) -> None:
    """The documents that anybody may read, compressed."""
    paths = ("/openapi.json", "/v1/actions", "/v1/classes", "/v1/boards")
    await repeat(attack, lambda number: attack.ask("GET", paths[number % len(paths)]))


ADDRESSES = {
    kind.__name__: kind
    for kind in (
        handshakes,
        half_heads,
        half_bodies,
        garbage,
        no_tokens,
        wrong_tokens,
        device_guesses,
        wrong_hellos,
        documents,
        probes,
        frames,
    )
}
