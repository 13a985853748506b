"""Misbehaving clients beside an honest player: what the server does to them, and whether the player notices."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from bots.count.latencies import Latencies
from bots.count.tally import Tally
from bots.load.connecting import Endpoint, allow_files
from bots.mischief.kinds import KINDS, SOCKETS
from bots.mischief.offender import Scene
from bots.play import catalogue
from bots.play.bot import Bot, PlayWindow
from bots.play.catalogue import Catalogue
from bots.play.sign_ups import sign_up_players
from bots.play.swarm import SwarmPlan, guarded, make_bots
from bots.wire import http
from bots.wire.errors import UnreachableError
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient

SPARE_FILES = 256
HONEST_RATE = 20.0
LEAST_SECONDS = 2.0
ALONE = "alone"
"""The first incident: nobody misbehaves."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One kind of mischief: how its sockets ended, what they were answered, and how the honest player did meanwhile."""

    kind: str
    ended: dict[str, int]
    heard: dict[str, int]
    honest_actions: int
    honest_p99_ms: float
    honest_errors: dict[str, int]
    honest_problems: list[str]

    @property
    def harmless(self) -> bool:
        """Whether the honest player went on acting and saw no error."""
        return bool(self.honest_actions) and not self.honest_errors and not self.honest_problems


async def misbehave(
    urls: tuple[str, ...], kinds: Sequence[str], seconds: float, show: Callable[[Incident], object]
) -> list[Incident]:
    """Carry out each kind for at most `seconds`. Raises UnreachableError, or OSError for too few open files."""
    allow_files(SOCKETS + SPARE_FILES)
    incidents = []
    async with http.open_session() as session:
        network = Network(session, urls, patience_seconds=seconds)
        game = await catalogue.fetch(PlayerClient(network, Tally(), Random(0), None))
        for kind in (ALONE, *kinds):
            incidents.append(await _incident(network, game, kind, seconds))
            show(incidents[-1])
    return incidents


async def _incident(network: Network, game: Catalogue, kind: str, seconds: float) -> Incident:
    first, second = await sign_up_players(network.urls, 2, "rogue")
    scene = Scene(Endpoint.parse(network.urls[0]), (first.token, second.token), seconds)
    tally, stop = Tally(), asyncio.Event()
    honest = await _sign_up(network, tally)
    now = asyncio.get_running_loop().time()
    tally.start(now)
    playing = asyncio.create_task(guarded(honest, honest.play(game, PlayWindow(now, now + 3600, HONEST_RATE, stop))))
    try:
        await asyncio.sleep(LEAST_SECONDS / 2)
        if kind in KINDS:
            await KINDS[kind](scene)
        await asyncio.sleep(LEAST_SECONDS / 2)
    finally:
        stop.set()
        await playing
        await honest.client.close()
    return _result(kind, scene, honest, tally)


async def _sign_up(network: Network, tally: Tally) -> Bot:
    """Make the honest player, which plays over a socket; raises UnreachableError."""
    plan = SwarmPlan(players=1, seconds=0.0, sockets=1.0, rate=HONEST_RATE, seed=1, name_prefix="honest")
    bot = make_bots(network, plan, tally)[0]
    if not await bot.sign_up():
        raise UnreachableError(f"the honest player can't sign up: {dict(tally.errors)}")
    return bot


def _result(kind: str, scene: Scene, honest: Bot, tally: Tally) -> Incident:
    latencies = Latencies()
    for name, of_action in tally.latencies.items():
        if name != "sign_up":
            latencies.add(of_action)
    return Incident(
        kind,
        dict(scene.ended),
        dict(scene.heard),
        honest_actions=tally.acknowledged.total() - tally.acknowledged["sign_up"],
        honest_p99_ms=round(latencies.at(99) * 1000, 1),
        honest_errors=dict(tally.errors + tally.hurt) if tally.errors_seen() else {},
        honest_problems=[*honest.record.faults(), *honest.client.pushes.faults],
    )


def as_json(incidents: Sequence[Incident]) -> list[dict[str, Any]]:
    """Return the incidents as JSON values."""
    names = Incident.__slots__
    return [
        {name: getattr(incident, name) for name in names} | {"harmless": incident.harmless} for incident in incidents
    ]
