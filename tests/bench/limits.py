"""`python -m tests.bench.limits`: what the limits by address and by player cost a node for each honest request, in µs.

Of many short measurements in turn, with and without, the least ones: they hold still where two runs of a door differ by
more than what is looked for. Beside what an answer costs the node (`make bench`), that is what limits take of play.
Sign-ups and sign-ins are counted in Redis as well, here in a Valkey of their own, 64 at a time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import Mock

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from gameserver.app.node import callers_of
from gameserver.config.limits import PerSecond
from gameserver.config.settings import Settings, load
from gameserver.rules.pacing import Pace
from gameserver.storage.redis import clients
from gameserver.storage.sessions.attempts import AttemptPaces, Attempts
from gameserver.transport.callers import callers, counting
from gameserver.transport.callers.callers import CALLERS
from gameserver.transport.socket.pacing import frame_pacing
from tests.support.redis_kinds import alone

SPELLS, TIMES = 300, 500
ATTEMPT_SPELLS, AT_ONCE, EACH = 60, 64, 20
CLIENT, EXEMPT = "203.0.113.7", "127.0.0.1"
NO_LIMIT = PerSecond.model_construct(per_second=1e9, burst=10**12)
FORGETFUL, WIDE = Pace(1, 10**6), Pace(10**9, 10**6)
Step = Callable[[], Awaitable[object]]


def wide() -> Settings:
    """The limits of one.toml, so wide that nothing here meets them; one address isn't counted."""
    chosen = load(Path("config/one.toml"))
    kinds = [name for name, kind in type(chosen.limits).model_fields.items() if kind.annotation is PerSecond]
    limits = chosen.limits.model_copy(update=dict.fromkeys(kinds, NO_LIMIT) | {"exempt": (ip_network(f"{EXEMPT}/32"),)})
    return chosen.model_copy(update={"limits": limits})


def request_from(app: web.Application, address: str) -> web.Request:
    """A request as a node gets it, over a connection from this address."""
    request = make_mocked_request("GET", "/v1/players/me", app=app)
    request = request.clone(remote=address)
    # As attributes, which are found at once, and not as a mock's.
    request.protocol.source = None if address == EXEMPT else address  # type: ignore[attr-defined]
    request.protocol.counts_addresses, request.protocol.for_operators = True, False  # type: ignore[attr-defined]
    return request


def requests(app: web.Application, address: str) -> Step:
    request = request_from(app, address)

    async def step() -> None:
        if (turn := callers.admit(request)) is not None:
            await turn
        await asyncio.sleep(0)

    return step


def frames(app: web.Application, address: str) -> Step:
    request, channel = request_from(app, address), Mock()
    pacing = frame_pacing(request, callers.address(request), lambda: None)

    async def step() -> None:
        if pacing.admits(channel):
            await pacing.wait()
        await asyncio.sleep(0)

    return step


async def least(*steps: Step) -> list[float]:
    """Microseconds of each step, measured in turn."""
    found = [float("inf")] * len(steps)
    for _ in range(SPELLS):
        for number, step in enumerate(steps):
            began = time.perf_counter()
            for _ in range(TIMES):
                await step()
            found[number] = min(found[number], (time.perf_counter() - began) / TIMES * 1e6)
    return found


async def attempts(wide: Pace) -> tuple[float, float]:
    """Microseconds of a node and of Redis for each sign-in at this pace, where AT_ONCE addresses sign in."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        Path(folder).chmod(0o755)
        async with alone(Path(folder)) as running:
            client = clients.connect(SecretStr(running.url), running.access)
            counted = Attempts(client, AttemptPaces(wide, wide, wide, wide, wide))

            async def one(number: int) -> None:
                for _ in range(EACH):
                    await counted.sign_in(f"203.0.113.{number}")

            async def used() -> tuple[float, float]:
                facts = await client.info("cpu")
                return time.process_time(), facts["used_cpu_user"] + facts["used_cpu_sys"]

            found = []
            for _ in range(ATTEMPT_SPELLS):
                before = await used()
                await asyncio.gather(*map(one, range(AT_ONCE)))
                found.append(
                    [(now - then) / AT_ONCE / EACH * 1e6 for then, now in zip(before, await used(), strict=True)]
                )
            await client.aclose()
    node, redis = map(min, zip(*found, strict=True))
    return node, redis


async def main() -> None:
    app = web.Application()
    app[CALLERS] = callers_of(wide())
    session = Mock(player_id=1, allowance=1)
    counted = request_from(app, CLIENT)

    async def act() -> None:
        counting.count_action(counted, session)

    async def read() -> None:
        counting.count_read(counted, session)

    async def look() -> None:
        counting.entry_counter(counted)(50)

    async def nothing() -> None: ...

    table = Table("what is counted", "without", "with", "costs \u00b5s")
    pairs = {
        "a request of an address": (requests(app, EXEMPT), requests(app, CLIENT)),
        "a frame of an address's sockets": (frames(app, EXEMPT), frames(app, CLIENT)),
        "an action of a player": (nothing, act),
        "a read of what is the player's own": (nothing, read),
        "50 places of a board": (nothing, look),
    }
    for name, (without, counted_so) in pairs.items():
        before, after = await least(without, counted_so)
        table.add_row(name, f"{before:.2f}", f"{after:.2f}", f"{after - before:.2f}")
    # Of the one pace a while is over at once, of the other never.
    for name, pace in {"an address' first sign-in in a while": FORGETFUL, "a further sign-in, a sign-up": WIDE}.items():
        node, redis = await attempts(pace)
        table.add_row(name, "0", f"{node:.1f} + {redis:.1f} of Redis", f"{node + redis:.1f}")
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
