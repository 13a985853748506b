"""A whole run: play, then prove. If the play ends early, for whatever reason but an error, the proof still follows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

from rich.console import Console

from bots.count.tally import Tally
from bots.history.writer import HistoryWriter
from bots.play import swarm
from bots.play.swarm import Swarm, SwarmPlan
from bots.probes.ground import Ground
from bots.probes.probing import Probes
from bots.proof import audit, boards, pages, points, sometimes, spread
from bots.proof.invariants import REWARDS
from bots.proof.players import PlayerVerdict, of_answers
from bots.proof.result import RunResult
from bots.report import progress
from bots.waiting import cancel_and_wait
from bots.wire import http
from bots.wire.errors import BadAnswerError
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient


@dataclass(frozen=True, slots=True)
class Target:
    """Where to play, and where the admin key is valid; without a key the boards aren't proved.

    `patience` is how many seconds a request is retried.
    """

    urls: tuple[str, ...]
    admin_key: str | None
    admin_urls: tuple[str, ...]
    patience: float


@dataclass(frozen=True, slots=True)
class ProofPlan:
    """What is proved beyond what the bots are answered.

    With `probes` more players try what bots don't do. `history` gets all that is sent and answered. `expected` are what
    the run must see at least once, of `bots.proof.sometimes.NAMES`.
    """

    probes: bool = False
    history: HistoryWriter | None = None
    expected: tuple[str, ...] = ()


async def run(plan: SwarmPlan, target: Target, console: Console, proof: ProofPlan = ProofPlan()) -> RunResult:
    """Play and prove. Raises UnreachableError when no server answers at the start."""
    result = RunResult(Swarm(plan, Tally(), asyncio.Event()))
    async with http.open_session() as session:
        network = Network(session, target.urls, patience_seconds=target.patience, history=proof.history)
        ground = _ground(network, target, plan)
        try:
            async with _spread_measured(result, network, target), _probing(ground, proof):
                await _phase(result, console, swarm.play(result.swarm, network))
            result.swarm.phase = "proving"
            await _phase(result, console, _prove(result, target, ground, proof))
        finally:
            await swarm.close(result.swarm.bots)
    return result


def _ground(network: Network, target: Target, plan: SwarmPlan) -> Ground:
    admin = None if target.admin_key is None else _admin(network, target, target.admin_key, Tally())
    return Ground(network, admin, plan.name_prefix, asyncio.Event(), Random(plan.seed))


@asynccontextmanager
async def _probing(ground: Ground, proof: ProofPlan) -> AsyncIterator[None]:
    """Let the probes run meanwhile, and end."""
    probing = asyncio.create_task(Probes(ground).run() if proof.probes else asyncio.sleep(0))
    try:
        yield
        ground.stop.set()
        await probing
    finally:
        await cancel_and_wait(probing)


@asynccontextmanager
async def _spread_measured(result: RunResult, network: Network, target: Target) -> AsyncIterator[None]:
    """Read what the databases hold before and after the play, with a tally of its own that counts into no figure."""
    if target.admin_key is None:
        yield
        return
    admin = _admin(network, target, target.admin_key, Tally())
    first = asyncio.create_task(spread.read(admin))
    try:
        yield
    finally:
        before = spread.result_if_done(first)
    if before is not None:
        result.spread = spread.between(before, await spread.read(admin))


def _admin(network: Network, target: Target, key: str, tally: Tally) -> PlayerClient:
    client = PlayerClient(replace(network, urls=target.admin_urls), tally, Random(0), None)
    client.token = key
    return client


async def _phase(result: RunResult, console: Console, doing: Awaitable[None]) -> None:
    """Carry out one phase under a progress line; a second Ctrl-C abandons it."""
    phase = asyncio.ensure_future(doing)
    shown = asyncio.create_task(progress.show(console, result.swarm))
    try:
        async with swarm.interruptible(result.swarm.stop, phase.cancel):
            await asyncio.wait({phase})
        if phase.cancelled():
            console.print(f"[yellow]{result.swarm.phase}: abandoned[/]")
        else:
            phase.result()
    finally:
        await cancel_and_wait(phase, shown)


async def _prove(result: RunResult, target: Target, ground: Ground, proof: ProofPlan) -> None:
    result.failure = "the proof was abandoned"
    result.findings = ground.findings
    try:
        await _prove_all(result, target, ground)
        result.failure = ""
    except (pages.NotProvedError, BadAnswerError) as error:
        result.failure = str(error)
    records = [bot.record for bot in result.swarm.signed_up]
    others = {"a reward": result.points.checked[REWARDS], **ground.findings.happened}
    result.sightings = sometimes.sightings(result.swarm.tally, records, result.mail, others, proof.expected)


async def _prove_all(result: RunResult, target: Target, ground: Ground) -> None:
    """Prove the players, then the boards. Raises NotProvedError, BadAnswerError."""
    bots = result.swarm.signed_up
    if not bots:
        raise pages.NotProvedError("no bot could sign up, so there is nothing to prove")
    result.verdicts = [PlayerVerdict(unexplained=of_answers(bot.record)) for bot in result.swarm.broken_sign_ups()]
    proved = await audit.prove_players([*bots, *ground.players])
    result.verdicts, result.mail = [*result.verdicts, *proved.verdicts], proved.mail
    if not any(verdict.acknowledged for verdict in result.verdicts):
        raise pages.NotProvedError("no action was acknowledged, so there is nothing to prove")
    readers = [bot.client for bot, verdict in zip(bots, proved.verdicts, strict=False) if not verdict.banned]
    if not readers:
        raise pages.NotProvedError("all bots are banned, so no board can be read")
    result.points = await points.prove_points(readers[0], proved.ledgers, ground.findings.gone, boards.CATCH_UP_SECONDS)
    if target.admin_key is not None:
        admin = _admin(ground.network, target, target.admin_key, result.swarm.tally)
        result.boards = await boards.prove_boards(readers[0], admin)
