"""What a `kill -9` of a primary loses: the acknowledged actions that its replica doesn't have once it is promoted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import asyncpg

from bots.wire.connecting import Endpoint
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.waiting import cancel_and_wait
from tests.bench.crowd import Asker, Somebody, sign_up
from tests.bench.stack import Stack

PLAYERS = 64
PLAY_SECONDS = 3.0
CUT_SECONDS = 1.0
"""For how long a replica gets nothing before the primary dies, if it was cut off."""
ANSWER_SECONDS = 1.0
PROMOTED_SECONDS = 60


ORDERS: Sequence[dict[str, Any]] = (
    {"action": "hunt", "args": {"foe": "slime"}},
    {"action": "rest", "args": {}},
    {"action": "revive", "args": {}},
)
"""Of these a rule refuses some."""


@dataclass(frozen=True, slots=True)
class Loss:
    """`lost` of `acknowledged` actions, of how many `players`."""

    acknowledged: int
    lost: int
    players: int


async def kill_the_primary(stack: Stack, *, cut: bool) -> Loss:
    """Lets players act, kills their database, promotes its replica, and compares; the stack is of no use afterwards.

    With `cut` the replica gets nothing for CUT_SECONDS before.
    """
    (replica,) = stack.replicas
    players = await sign_up(stack.urls, PLAYERS)
    versions = dict.fromkeys((int(player.id) for player in players), 1)
    acting = [asyncio.create_task(_act(stack.urls, number, player, versions)) for number, player in enumerate(players)]
    async with _superuser(replica.primary) as primary, _superuser(replica) as follower:
        await asyncio.sleep(PLAY_SECONDS)
        if cut:
            await primary.execute("alter role current_user nologin")
            await primary.execute("select pg_terminate_backend(pid) from pg_stat_replication")
            await asyncio.sleep(CUT_SECONDS)
        replica.primary.kill()
        # Answers that were under way still count.
        await asyncio.sleep(ANSWER_SECONDS)
        await cancel_and_wait(acting)
        present = await _promoted(follower, list(versions))
    missing = {player: version - present.get(player, 0) for player, version in versions.items()}
    lost = [count for count in missing.values() if count > 0]
    return Loss(sum(versions.values()) - PLAYERS, sum(lost), len(lost))


async def _act(urls: Sequence[str], number: int, player: Somebody, versions: dict[int, int]) -> None:
    """One action after the other; the version of each that was acknowledged is noted at once."""
    asker = await Asker.open(Endpoint.parse(urls[number % len(urls)]))
    try:
        with suppress(ConnectionError, TimeoutError):
            for body in cycle(ORDERS):
                status, answer = await asker.ask("POST", "/v1/players/me/actions", token=player.token, body=body)
                if status == 200:
                    versions[int(player.id)] = answer["player"]["version"]
    finally:
        asker.close()


async def _promoted(replica: asyncpg.Connection, players: Sequence[int]) -> dict[int, int]:
    """The versions of the players on the replica, which takes writes from now on."""
    if not await replica.fetchval("select pg_promote(true, $1)", PROMOTED_SECONDS):
        raise SystemExit(f"the replica wasn't promoted within {PROMOTED_SECONDS} s")
    rows = await replica.fetch("select id, version from players where id = any($1::bigint[])", players)
    return {row["id"]: row["version"] for row in rows}


@asynccontextmanager
async def _superuser(server: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    """In the nodes' database."""
    connection = await asyncpg.connect(server.superuser_url.rsplit("/", 1)[0] + "/gameserver")
    try:
        yield connection
    finally:
        connection.terminate()
