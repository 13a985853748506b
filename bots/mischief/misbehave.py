"""Misbehaving clients beside an honest player: what the server does to them, and whether the player notices."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
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
SLOW_MS, SLOWER = 250.0, 5.0
"""The honest player's p99 may be so long, or so many times as long as when it is alone."""
LEAST_SHARE = 0.5
"""Of the actions per second that it carries out alone."""


@dataclass(frozen=True, slots=True)
class HonestPace:
    """How the honest player does: its p99, and its actions per second."""

    p99_ms: float
    rate: float

    def is_kept(self, alone: "HonestPace") -> bool:
        """Whether it is about as good as when nobody misbehaves."""
        return self.p99_ms <= max(SLOW_MS, SLOWER * alone.p99_ms) and self.rate >= LEAST_SHARE * alone.rate


@dataclass(frozen=True, slots=True)
class Incident:
    """One kind of mischief: how its sockets ended, what they were answered, and how the honest player did meanwhile.

    `honest_rate` are its actions per second, `alone` is how it does while nobody misbehaves.
    """

    kind: str
    ended: dict[str, int]
    heard: dict[str, int]
    honest_actions: int
    honest_p99_ms: float
    honest_rate: float
    honest_errors: dict[str, int]
    honest_problems: list[str]
    alone: HonestPace | None = None

    @property
    def pace(self) -> HonestPace:
        """How the honest player did."""
        return HonestPace(self.honest_p99_ms, self.honest_rate)

    @property
    def harmless(self) -> bool:
        """Whether the honest player went on acting at its pace and saw no error."""
        keeps_pace = self.alone is None or self.pace.is_kept(self.alone)
        return bool(self.honest_actions) and keeps_pace and not self.honest_errors and not self.honest_problems


async def misbehave(
    urls: tuple[str, ...], kinds: Sequence[str], seconds: float, show: Callable[[Incident], object]
) -> list[Incident]:
    """Carry out each kind for at most `seconds`, on the first of the addresses: the player has to meet who misbehaves.

    Raises UnreachableError, or OSError for too few open files.
    """
    allow_files(SOCKETS + SPARE_FILES)
    incidents: list[Incident] = []
    async with http.open_session() as session:
        network = Network(session, urls[:1], patience_seconds=seconds)
        game = await catalogue.fetch(PlayerClient(network, Tally(), Random(0), None))
        for kind in (ALONE, *kinds):
            incident = await _incident(network, game, kind, seconds)
            incidents.append(replace(incident, alone=incidents[0].pace) if incidents else incident)
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
    return _result(kind, scene, honest, swarm)


async def _sign_up(network: Network) -> tuple[Swarm, Recruits]:
    """Make the honest player, which plays over a socket; raises UnreachableError."""
    plan = SwarmPlan(players=1, seconds=3600.0, sockets=1.0, rate=HONEST_RATE, seed=1, name_prefix="honest")
    swarm = Swarm(plan, Tally(), asyncio.Event())
    recruits = Recruits(swarm, network)
    await recruits.sign_up_all()
    if not swarm.signed_up:
        raise UnreachableError(f"the honest player can't sign up: {dict(swarm.tally.errors)}")
    return swarm, recruits


def _result(kind: str, scene: Scene, honest: Bot, swarm: Swarm) -> Incident:
    latencies, tally = Latencies(), swarm.tally
    for name, of_action in tally.latencies.items():
        if name != "sign_up":
            latencies.add(of_action)
    actions = tally.acknowledged.total() - tally.acknowledged["sign_up"]
    return Incident(
        kind,
        dict(scene.ended),
        dict(scene.heard),
        honest_actions=actions,
        honest_rate=round(actions / max(swarm.played, 0.001), 1),
        honest_p99_ms=round(latencies.at(99) * 1000, 1),
        honest_errors=dict(tally.errors + tally.hurt) if tally.errors_seen() else {},
        honest_problems=[*honest.record.faults(), *honest.client.pushes.faults],
    )


def as_json(incidents: Sequence[Incident]) -> list[dict[str, Any]]:
    """Return the incidents as JSON values."""
    return [asdict(incident) | {"harmless": incident.harmless} for incident in incidents]
