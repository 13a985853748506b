"""Misbehaving clients beside an honest player: what the server does to them, and whether the player notices."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from bots.count.latencies import Latencies
from bots.count.tally import Tally
from bots.mischief.kinds import KINDS, SOCKETS
from bots.mischief.offender import Scene
from bots.play import catalogue, playing
from bots.play.bot import Bot
from bots.play.catalogue import Catalogue
from bots.play.plan import SwarmPlan
from bots.play.recruits import Recruits
from bots.play.sign_ups import sign_up_players
from bots.play.swarm import Swarm
from bots.wire import http
from bots.wire.connecting import Endpoint, allow_files
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
    swarm, recruits = await _sign_up(network)
    recruits.begin_play(game)
    honest = swarm.signed_up[0]
    play = asyncio.create_task(playing.play(recruits))
    try:
        await asyncio.sleep(LEAST_SECONDS / 2)
        if kind in KINDS:
            await KINDS[kind](scene)
        await asyncio.sleep(LEAST_SECONDS / 2)
    finally:
        swarm.stop.set()
        await play
        await honest.client.close()
    return _result(kind, scene, honest, swarm.tally)


async def _sign_up(network: Network) -> tuple[Swarm, Recruits]:
    """Make the honest player, which plays over a socket; raises UnreachableError."""
    plan = SwarmPlan(players=1, seconds=3600.0, sockets=1.0, rate=HONEST_RATE, seed=1, name_prefix="honest")
    swarm = Swarm(plan, Tally(), asyncio.Event())
    recruits = Recruits(swarm, network)
    await recruits.sign_up_all()
    if not swarm.signed_up:
        raise UnreachableError(f"the honest player can't sign up: {dict(swarm.tally.errors)}")
    return swarm, recruits


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
