"""The play of a swarm: what the game offers is read, the bots sign up, and then they play."""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from bots.play import catalogue
from bots.play.driver import Driver
from bots.play.recruits import Recruits
from bots.play.swarm import Swarm
from bots.waiting import cancel_and_wait
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient

FIRST_ANSWER_SECONDS = 15.0
LIVE_OBJECTS = 70_000


async def sign_up(swarm: Swarm, network: Network) -> Recruits:
    """Read what the game offers and sign up; raises UnreachableError before anything else if no server answers."""
    impatient = replace(network, patience_seconds=FIRST_ANSWER_SECONDS)
    game = await catalogue.fetch(PlayerClient(impatient, swarm.tally, Random(swarm.plan.seed), None))
    recruits = Recruits(swarm, network)
    await recruits.sign_up_all()
    recruits.begin_play(replace(game, words={**game.words, "player": recruits.recipients()}))
    return recruits


@contextmanager
def _garbage_seldom_looked_for() -> Iterator[None]:
    """Leave what is there alone, and look for cycles a hundred times less often: a play makes hardly any."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(LIVE_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


async def play(recruits: Recruits) -> None:
    """Play with the players that have signed up."""
    swarm = recruits.swarm
    swarm.phase, begins = "playing", time.monotonic()
    swarm.started = datetime.now(UTC)
    swarm.tally.start(begins)
    watching = asyncio.create_task(swarm.tally.health.watch(begins, swarm.connected))
    try:
        with _garbage_seldom_looked_for():
            await Driver(recruits, begins).play()
    finally:
        swarm.tally.recorder.finish()
        swarm.played = max(swarm.played, 0.001)
        await cancel_and_wait(watching)
