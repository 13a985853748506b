"""A player on each database who acts all the time, and one who signs in: for how long they weren't acknowledged."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import asyncpg
from aiohttp import ClientError

from gameserver.config.settings import Settings
from gameserver.storage.ids import slot_of
from gameserver.waiting import cancel_and_wait
from tests.support.client import Api, Signed, command_id

PAUSE_SECONDS = 0.05
REQUEST_SECONDS = 6.0
"""After which a retry is sent."""
SIGN_UPS = 60
SESSIONS = "sessions"
"""The beats of signing in."""


class Pulse:
    """When each database acknowledged something, by `time.monotonic`; and who saw a version that was gone later."""

    def __init__(self) -> None:
        self.beats: dict[str, list[float]] = {}
        self.versions: dict[str, int] = {}
        self.seen_then_lost = 0
        self.ended = 0.0

    def gap(self, database: str, since: float) -> float:
        """The longest time without an acknowledgement that ended after `since`, in seconds."""
        beats = [since, *(beat for beat in self.beats[database] if beat > since), self.ended]
        return max(after - before for before, after in pairwise(beats))

    def count(self, database: str, state: Mapping[str, int]) -> None:
        """An answer with the player's state: versions never fall."""
        self.seen_then_lost += state["version"] < self.versions.get(database, 0)
        self.versions[database] = state["version"]
        self.beats[database].append(time.monotonic())


@asynccontextmanager
async def beating(url: str, settings: Settings) -> AsyncIterator[Pulse]:
    """One player for each database of players acts while the block runs."""
    pulse = Pulse()
    async with Api(url) as api:
        players = await _one_each(api, settings)
        pulse.beats = {name: [time.monotonic()] for name in (*players, SESSIONS)}
        tasks = [asyncio.create_task(_act(api, pulse, name, player)) for name, player in players.items()]
        tasks.append(asyncio.create_task(_sign_in(api, pulse, await api.sign_up())))
        try:
            yield pulse
        finally:
            pulse.ended = time.monotonic()
            await cancel_and_wait(tasks)


async def _one_each(api: Api, settings: Settings) -> dict[str, Signed]:
    owners = await _owners(settings)
    wanted, players = set(owners.values()), dict[str, Signed]()
    for _ in range(SIGN_UPS):
        player = await api.sign_up()
        players.setdefault(owners[slot_of(int(player.id))], player)
        if set(players) == wanted:
            break
    return players


async def _owners(settings: Settings) -> dict[int, str]:
    """The database of each slot of players."""
    url = settings.database_url(settings.control.database).get_secret_value()
    connection = await asyncpg.connect(url, target_session_attrs="primary")
    try:
        rows = await connection.fetch("""select slot, database from slots where "group" = 'players'""")
    finally:
        await connection.close()
    return {row["slot"]: row["database"] for row in rows}


async def _act(api: Api, pulse: Pulse, database: str, player: Signed) -> None:
    while True:
        await _acknowledged(api, pulse, database, player)
        await asyncio.sleep(PAUSE_SECONDS)


async def _acknowledged(api: Api, pulse: Pulse, database: str, player: Signed) -> None:
    """One command, retried under its id until it is acknowledged or refused by a rule."""
    key = command_id()
    while True:
        with suppress(ClientError, OSError, TimeoutError):
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await api.act(player, "rest", key=key)
            if answer.status == 200:
                pulse.count(database, answer.body["player"])
                return
            if answer.status == 409:
                pulse.beats[database].append(time.monotonic())
                return
        await asyncio.sleep(PAUSE_SECONDS)


async def _sign_in(api: Api, pulse: Pulse, player: Signed) -> None:
    while True:
        with suppress(ClientError, OSError, TimeoutError):
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await api.ask("POST", "/v1/sessions", body={"device": player.device})
            if answer.status == 201:
                pulse.beats[SESSIONS].append(time.monotonic())
        await asyncio.sleep(4 * PAUSE_SECONDS)
