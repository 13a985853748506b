"""What a hostile address does, as fast as the server lets it."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    TCPConnector,
    WSServerHandshakeError,
)

from gameserver.storage.ids import new_command_id

AT_ONCE = 64
CONNECTIONS = 5_000
SOCKETS = 1_000
GUESSES_PER_SECOND = 120
FRAME = orjson.dumps({"id": 1, "op": "read"}).decode()


@dataclass
class Attack:
    """The attacker's knowledge: a session and its device, the name of a player, and the ids of others."""

    url: str
    source: str
    until: float
    session: ClientSession
    token: str
    device: str
    victim: str
    strangers: list[str]
    heard: Counter[str] = field(default_factory=Counter)

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> bytes | None:
        """The body of an answer; None where it was refused."""
        given = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with self.session.request(method, path, json=body, headers=given | headers) as response:
                answered = await response.read()
                self.heard[str(response.status)] += 1
                if response.status in (429, 503):
                    await asyncio.sleep(0.005)
                return answered if response.ok else None
        except (ClientError, OSError, TimeoutError) as error:
            self.heard[type(error).__name__] += 1
            await asyncio.sleep(0.05)
        return None


async def repeat(attack: Attack, one: Callable[[int], Awaitable[object]]) -> None:
    """Until the time is up, and once in any case."""

    async def loop(number: int) -> None:
        await one(number)
        while time.monotonic() < attack.until:
            number += AT_ONCE
            await one(number)

    await asyncio.gather(*(loop(part) for part in range(AT_ONCE)))


async def guesses(attack: Attack) -> None:
    """Wrong passwords for one player."""
    body = {"name": attack.victim, "password": "a wrong password 1"}
    await repeat(attack, lambda _: attack.ask("POST", "/v1/sessions", body))


async def sign_ups(attack: Attack) -> None:
    """New players."""
    await repeat(
        attack,
        lambda number: attack.ask(
            "POST",
            "/v1/players",
            {"name": f"Z{time.monotonic_ns() % 10**12}x{number}", "class": "mage", "device": os.urandom(24).hex()},
        ),
    )


async def reads(attack: Attack) -> None:
    """The page of a board."""
    await repeat(attack, lambda _: attack.ask("GET", "/v1/boards/exp?limit=100", token=attack.token))


async def ranks(attack: Attack) -> None:
    """The places of a hundred players, with no session."""
    ids = ",".join((attack.strangers * AT_ONCE)[:100])
    await repeat(attack, lambda _: attack.ask("GET", f"/v1/boards/exp/ranks?ids={ids}"))


async def around(attack: Attack) -> None:
    """Two hundred places around a player, with no session."""

    async def one(number: int) -> None:
        stranger = attack.strangers[number % len(attack.strangers)]
        await attack.ask("GET", f"/v1/boards/exp/around/{stranger}?radius=100")

    await repeat(attack, one)


async def many(attack: Attack) -> None:
    """All players that it knows, in one request."""
    await repeat(
        attack, lambda _: attack.ask("GET", f"/v1/players?ids={','.join(attack.strangers)}", token=attack.token)
    )


async def unknown(attack: Attack) -> None:
    """Paths that don't exist, and bodies that are no JSON."""
    await repeat(attack, lambda number: attack.ask("POST", f"/v1/nothing-{number}", [[[[1]]]]))


async def unknown_names(attack: Attack) -> None:
    """16 KB of names that no body has."""
    body = {f"#{number}": 0 for number in range(1450)}
    await repeat(attack, lambda _: attack.ask("POST", "/v1/sessions", body))


async def letters(attack: Attack) -> None:
    """One account that duels strangers as fast as it can."""
    await repeat(
        attack,
        lambda number: attack.ask(
            "POST",
            "/v1/players/me/actions",
            {"action": "duel", "args": {"player": attack.strangers[number % len(attack.strangers)]}},
            token=attack.token,
            **{"Idempotency-Key": new_command_id(int(time.time() * 1000))},
        ),
    )


async def connections(attack: Attack) -> None:
    """Connections that send nothing, as many as the server takes."""
    address = urlsplit(attack.url)
    held = []

    async def hold() -> None:
        while time.monotonic() < attack.until:
            try:
                opened = asyncio.open_connection(address.hostname, address.port, local_addr=(attack.source, 0))
                reader, writer = await asyncio.wait_for(opened, 2)
                held.append(writer)
                attack.heard["opened"] += 1
                await asyncio.wait_for(reader.read(1), attack.until - time.monotonic())
                attack.heard["closed"] += 1
            except (OSError, TimeoutError):
                attack.heard["refused"] += 1
            await asyncio.sleep(0.05)

    await asyncio.gather(*(hold() for _ in range(CONNECTIONS)))
    for writer in held:
        writer.transport.abort()


async def sockets(attack: Attack) -> None:
    """Sockets that never say hello."""

    async def wait(socket: ClientWebSocketResponse) -> None:
        await socket.receive(max(0.1, attack.until - time.monotonic()))

    await asyncio.gather(*(on_sockets(attack, wait) for _ in range(SOCKETS)))


async def mute(attack: Attack) -> None:
    """Sockets that ask and never read the answers."""

    async def flood(socket: ClientWebSocketResponse) -> None:
        await socket.send_json({"id": 1, "op": "hello", "token": attack.token})
        while time.monotonic() < attack.until:
            await asyncio.wait_for(socket.send_str(FRAME), 1)
            attack.heard["frames"] += 1
            if attack.heard["frames"] % 100 == 0:
                await asyncio.sleep(0.001)

    await asyncio.gather(*(on_sockets(attack, flood) for _ in range(AT_ONCE)))


async def on_sockets(attack: Attack, use: Callable[[ClientWebSocketResponse], Awaitable[None]]) -> None:
    """One socket after the other."""
    while time.monotonic() < attack.until:
        try:
            # Closing waits for a server that no longer reads.
            async with asyncio.timeout(attack.until + 1 - time.monotonic()):
                async with attack.session.ws_connect("/v1/socket", protocols=["gameserver.v1"]) as socket:
                    attack.heard["opened"] += 1
                    await use(socket)
        except WSServerHandshakeError as error:
            attack.heard[str(error.status)] += 1
        except (ClientError, OSError, TimeoutError):
            attack.heard["ended"] += 1
        await asyncio.sleep(0.05)


async def network(attack: Attack) -> None:
    """120 wrong passwords a second from 64 addresses, for many players."""
    octets = attack.source.split(".")

    async def loop(number: int) -> None:
        connector = TCPConnector(limit=0, local_addr=(f"127.0.{100 + int(octets[3])}.{number + 1}", 0))
        async with ClientSession(attack.url, connector=connector, timeout=ClientTimeout(total=30)) as session:
            own = replace(attack, session=session)
            while time.monotonic() < attack.until:
                name = f"Z{number}x{time.monotonic_ns() % 10**12}"
                await own.ask("POST", "/v1/sessions", {"name": name, "password": "a wrong password 1"})
                await asyncio.sleep(AT_ONCE / GUESSES_PER_SECOND)

    await asyncio.gather(*(loop(number) for number in range(AT_ONCE)))


async def bystander(attack: Attack) -> None:
    """No attack: a process that asks nothing and only computes, which is what any attacker costs this machine."""
    while time.monotonic() < attack.until:
        attack.heard["sums"] += 1
        sum(range(10_000))


HOSTILE = {
    kind.__name__: kind
    for kind in (
        bystander,
        guesses,
        network,
        sign_ups,
        reads,
        ranks,
        around,
        many,
        unknown,
        unknown_names,
        letters,
        connections,
        sockets,
        mute,
    )
}
