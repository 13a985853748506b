"""Some players on each database who act all the time, and one who signs in: how long they weren't acknowledged."""

import asyncio
import math
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
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
PLAYERS_EACH = 3
SIGN_UPS = 120
SESSIONS = "sessions"
"""The beats of signing in."""


class Pulse:
    """When each database acknowledged something, by `time.monotonic`; and who saw a version that was gone later."""

    def __init__(self) -> None:
        self.beats: dict[str, list[float]] = {}
        self.took: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        """Of each database: when an action was acknowledged, and after how many seconds, with all its retries."""
        self.versions: dict[str, int] = {}
        self.seen_then_lost = 0
        self.ended = 0.0

    def gap(self, database: str, since: float) -> float:
        """The longest time without an acknowledgement that ended after `since`, in seconds."""
        beats = [since, *(beat for beat in self.beats[database] if beat > since), self.ended]
        return max(after - before for before, after in pairwise(beats))

    def since(self, database: str, moment: float) -> int:
        """How often it has acknowledged something since then."""
        return len(self.beats[database]) - bisect_right(self.beats[database], moment)

    def p99(self, database: str, since: float, until: float) -> float:
        """Of the actions that were acknowledged meanwhile, in seconds."""
        took = sorted(seconds for ended, seconds in self.took[database] if since < ended <= until)
        return took[math.ceil(0.99 * len(took)) - 1]

    def beat(self, database: str, began: float) -> None:
        """An action that was sent first when it `began` is acknowledged."""
        now = time.monotonic()
        self.beats[database].append(now)
        self.took[database].append((now, now - began))

    def see(self, player: str, version: int) -> None:
        """Versions never fall."""
        self.seen_then_lost += version < self.versions.get(player, 0)
        self.versions[player] = version


@asynccontextmanager
async def beating(url: str, settings: Settings) -> AsyncIterator[Pulse]:
    """Players on each database of players act while the block runs."""
    pulse = Pulse()
    async with Api(url) as api:
        players = await _some_each(api, settings)
        pulse.beats = {name: [time.monotonic()] for name in (*players, SESSIONS)}
        tasks = [
            asyncio.create_task(_act(api, pulse, name, player)) for name, some in players.items() for player in some
        ]
        tasks.append(asyncio.create_task(_sign_in(api, pulse, await api.sign_up())))
        try:
            yield pulse
        finally:
            pulse.ended = time.monotonic()
            await cancel_and_wait(tasks)


async def _some_each(api: Api, settings: Settings) -> Mapping[str, Sequence[Signed]]:
    owners = await _owners(settings)
    players: dict[str, list[Signed]] = {name: [] for name in owners.values()}
    for _ in range(SIGN_UPS):
        player = await api.sign_up()
        some = players[owners[slot_of(int(player.id))]]
        some += [player] if len(some) < PLAYERS_EACH else []
        if all(len(some) == PLAYERS_EACH for some in players.values()):
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
    key, began = command_id(), time.monotonic()
    while True:
        with suppress(ClientError, OSError, TimeoutError):
            async with asyncio.timeout(REQUEST_SECONDS):
                answer = await api.act(player, "rest", key=key)
            if answer.status == 200:
                pulse.see(player.id, answer.body["player"]["version"])
            if answer.status in (200, 409):
                pulse.beat(database, began)
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
