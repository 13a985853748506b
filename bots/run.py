"""A whole run: play, then prove. If the play ends early, for whatever reason but an error, the proof still follows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

from bots.count.tally import Tally
from bots.play import playing, swarm
from bots.play.plan import SwarmPlan
from bots.play.swarm import Swarm
from bots.probes.ground import ProbeGround
from bots.probes.probing import Probes
from bots.proof import pages, spread
from bots.proof.result import RunResult
from bots.proving import ProofPlan, Target, administrator, ground_of, prove
from bots.stage import Stage
from bots.waiting import cancel_and_wait
from bots.wire import http
from bots.wire.errors import BadAnswerError
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient

PLACEMENT_SECONDS = 5.0
Returned = TypeVar("Returned")


async def run(plan: SwarmPlan, target: Target, stage: Stage, proof: ProofPlan) -> RunResult:
    """Play and prove. Raises UnreachableError when no server answers at the start."""
    result = RunResult(Swarm(plan, Tally(), asyncio.Event()))
    async with http.open_session() as session:
        network = Network(session, target.urls, patience_seconds=target.patience, history=proof.history)
        ground = ground_of(network, target, plan)
        shown = asyncio.create_task(stage.show(result.swarm))
        try:
            async with _watched(result, network, target), _probing(ground, proof):
                await _play(result, network, stage)
            result.swarm.phase = "proving"
            await _phase(result, stage, prove(result, target, ground, proof))
        finally:
            await cancel_and_wait(shown)
            await swarm.close(result.swarm.bots)
        if not shown.cancelled():
            shown.result()
    return result


async def _play(result: RunResult, network: Network, stage: Stage) -> None:
    recruits = await _phase(result, stage, playing.sign_up(result.swarm, network))
    if recruits is not None:
        await _phase(result, stage, stage.ready())
        await _phase(result, stage, playing.play(recruits))
        await _phase(result, stage, stage.played())


async def _phase(result: RunResult, stage: Stage, doing: Awaitable[Returned]) -> Returned | None:
    """Carry out one phase; a second Ctrl-C abandons it, and None is returned."""
    phase = asyncio.ensure_future(doing)
    try:
        async with swarm.interruptible(result.swarm.stop, phase.cancel):
            await asyncio.wait({phase})
        if phase.cancelled():
            stage.say(f"{result.swarm.phase}: abandoned")
            return None
        return phase.result()
    finally:
        await cancel_and_wait(phase)


@asynccontextmanager
async def _probing(ground: ProbeGround, proof: ProofPlan) -> AsyncIterator[None]:
    """Let the probes run meanwhile, and end."""
    probing = asyncio.create_task(Probes(ground).run() if proof.probes else asyncio.sleep(0))
    try:
        yield
        ground.stop.set()
        await probing
    finally:
        await cancel_and_wait(probing)


@asynccontextmanager
async def _watched(result: RunResult, network: Network, target: Target) -> AsyncIterator[None]:
    """Read what the databases hold before and after the play, with a tally of its own that counts into no figure."""
    if target.admin_key is None:
        yield
        return
    admin = administrator(network, target, target.admin_key, Tally())
    first = asyncio.create_task(spread.read(admin))
    following = asyncio.create_task(_follow_placement(result.swarm, admin))
    try:
        yield
    finally:
        await cancel_and_wait(following)
        before = spread.result_if_done(first)
    if before is not None:
        result.spread = spread.between(before, await spread.read(admin))


async def _follow_placement(swarm: Swarm, admin: PlayerClient) -> None:
    """Keep the slot map up to date, which moves change; a server that doesn't tell it is asked again."""
    while True:
        with contextlib.suppress(pages.NotProvedError, BadAnswerError):
            swarm.placement.learn(await pages.get(admin, "/admin/v1/slots"))
        await asyncio.sleep(PLACEMENT_SECONDS)
