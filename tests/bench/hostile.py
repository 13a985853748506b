"""`make bench-hostile`: what honest players notice while one address attacks each door in turn.

Honest players act and read over sockets and HTTP and sign in at a steady pace; the attacker is a process of its own
with another source address, at the lowest priority of the processor. Each attack stands between two calm spells. What
counts is the ratio of the honest p99 to the calm one of the same kind. The limits are those that are given by default.
"""

import asyncio
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import orjson
import uvloop
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from bots.load.connecting import allow_files
from gameserver.config.limits import LimitSettings
from tests.bench.attacks import KINDS
from tests.bench.stack import running
from tests.support.client import Api, Signed
from tests.support.haproxy import haproxy

SECONDS = 8.0
CALM_SECONDS = 4.0
SETTLE_SECONDS = 2.0
PLAYERS = 24
SOCKETS = 16
PAUSE = 0.05
SIGN_IN_PAUSE = 0.2
PASSWORD = "the owner's own password 7"
FILES = 12_000
CONFIG = Path(os.environ.get("CONFIG", "config/one.toml"))
console = Console(width=150)
Latencies = dict[str, list[float]]


class Crowd:
    """The honest players; `heard` is where latencies are counted at present, in ms by kind."""

    def __init__(self, api: Api, players: list[Signed]) -> None:
        self._api, self._players = api, players
        self.heard: Latencies = defaultdict(list)
        self.failed: Counter[str] = Counter()

    async def play(self) -> None:
        on_sockets, over_http = self._players[:SOCKETS], self._players[SOCKETS:]
        await asyncio.gather(
            *(self._on_socket(player) for player in on_sockets),
            *(self._repeat("act over HTTP", PAUSE, partial(self._act, player)) for player in over_http),
            self._repeat("read over HTTP", PAUSE, lambda: self._read(over_http[0])),
            self._repeat("sign in by device", SIGN_IN_PAUSE, lambda: self._device(over_http[1])),
            self._repeat("sign in by password", 2 * SIGN_IN_PAUSE, lambda: self._password(over_http[0])),
        )

    async def _on_socket(self, player: Signed) -> None:
        socket = await self._api.socket(player.token)

        async def act() -> bool:
            answer = await socket.ask("act", action="hunt", args={"foe": "slime"})
            return "ok" in answer or answer["error"]["code"] == "player_is_down"

        await self._repeat("act on a socket", PAUSE, act)

    async def _repeat(self, kind: str, pause: float, ask: Callable[[], Awaitable[bool]]) -> None:
        while True:
            began = time.perf_counter()
            try:
                went_well = await ask()
            except (OSError, TimeoutError):
                went_well = False
            if not went_well:
                self.failed[kind] += 1
            self.heard[kind].append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(pause)

    async def _act(self, player: Signed) -> bool:
        return (await self._api.act(player)).status in (200, 409)

    async def _read(self, player: Signed) -> bool:
        return (await self._api.ask("GET", "/v1/players/me", token=player.token)).status == 200

    async def _device(self, player: Signed) -> bool:
        return (await self._api.ask("POST", "/v1/sessions", body={"device": player.device})).status == 201

    async def _password(self, player: Signed) -> bool:
        body = {"name": player.name, "password": PASSWORD}
        return (await self._api.ask("POST", "/v1/sessions", body=body)).status == 201


async def main(kinds: list[str]) -> None:
    allow_files(FILES)
    for name, field in LimitSettings.model_fields.items():
        if name != "exempt":
            os.environ[f"GAMESERVER_LIMITS__{name.upper()}"] = orjson.dumps(field.default, default=_plain).decode()
    # Only the honest address is exempt, the nodes know the attacker's behind HAProxy, and nobody signs in too often.
    os.environ["GAMESERVER_LIMITS__EXEMPT"] = '["127.0.0.1/32"]'
    os.environ["GAMESERVER_NODE__TRUSTED_PROXIES"] = '["127.0.0.1/32"]'
    os.environ["GAMESERVER_SESSIONS__PER_PLAYER"] = "1000"
    async with running(CONFIG) as (settings, folder, above):
        ports = [settings.node.port + number for number, _ in enumerate(above, 1)]
        async with haproxy(folder, settings, ports) as url, Api(url) as api:
            players = [await api.sign_up(device=os.urandom(24).hex(), password=PASSWORD) for _ in range(PLAYERS)]
            hostile = await api.sign_up("mage", device=os.urandom(24).hex())
            crowd = Crowd(api, players)
            playing = asyncio.create_task(crowd.play())
            await asyncio.sleep(CALM_SECONDS)
            for kind in kinds:
                known = {
                    "token": hostile.token,
                    "victim": players[SOCKETS].name,
                    "strangers": [player.id for player in players],
                }
                await measure(crowd, kind, url, known)
            playing.cancel()


def _plain(limit: BaseModel) -> object:
    return limit.model_dump()


async def measure(crowd: Crowd, kind: str, url: str, known: Mapping[str, object]) -> None:
    calm, _ = await heard(crowd, asyncio.sleep(CALM_SECONDS))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.attacks", kind, url, str(SECONDS),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    attack = asyncio.create_task(process.communicate(orjson.dumps(known)))
    hostile, failed = await heard(crowd, asyncio.wait([attack], timeout=SECONDS + 10))
    answered = orjson.loads((await attack)[0] or b"{}")
    show(kind, answered, calm, hostile, failed)
    await asyncio.sleep(SETTLE_SECONDS)


async def heard(crowd: Crowd, meanwhile: Awaitable[object]) -> tuple[Latencies, Counter[str]]:
    """The latencies and the failures by kind while something goes on."""
    crowd.heard, crowd.failed = defaultdict(list), Counter()
    await meanwhile
    return crowd.heard, crowd.failed


def p99(latencies: list[float]) -> float:
    """In ms, as they are; 0 without any."""
    return sorted(latencies)[min(len(latencies) - 1, int(len(latencies) * 0.99))] if latencies else 0.0


def show(kind: str, answered: dict[str, int], calm: Latencies, hostile: Latencies, failed: Counter[str]) -> None:
    table = Table("honest players", "calm p99 ms", "p99 ms", "ratio", "answers", "failed", title_justify="left")
    table.title = f"{kind}: {KINDS[kind].__doc__} " + ", ".join(f"{name} {count:,}" for name, count in answered.items())
    for name in sorted(calm):
        before, after = p99(calm[name]), p99(hostile[name])
        table.add_row(
            name,
            f"{before:.1f}",
            f"{after:.1f}",
            f"{after / before:.2f}",
            f"{len(hostile[name]):,}",
            str(failed[name]),
        )
    console.print(table)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1:] or list(KINDS)))
