"""A whole run: play, then prove. If the play ends early, for whatever reason but an error, the proof still follows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

from rich.console import Console

from bots.count.tally import Tally
from bots.play import playing, swarm
from bots.play.plan import SwarmPlan
from bots.play.swarm import Swarm
from bots.proof import audit, boards, pages, spread
from bots.proof.players import PlayerVerdict
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


async def run(plan: SwarmPlan, target: Target, console: Console) -> RunResult:
    """Play and prove. Raises UnreachableError when no server answers at the start."""
    result = RunResult(Swarm(plan, Tally(), asyncio.Event()))
    async with http.open_session() as session:
        network = Network(session, target.urls, patience_seconds=target.patience)
        try:
            async with _spread_measured(result, network, target):
                await _phase(result, console, playing.play(result.swarm, network))
            result.swarm.phase = "proving"
            await _phase(result, console, _prove(result, network, target))
        finally:
            await swarm.close(result.swarm.bots)
    return result


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


async def _prove(result: RunResult, network: Network, target: Target) -> None:
    bots = result.swarm.signed_up
    result.failure = "the proof was abandoned"
    try:
        if not bots:
            raise pages.NotProvedError("no bot could sign up, so there is nothing to prove")
        result.verdicts = [PlayerVerdict(unexplained=bot.record.problems) for bot in result.swarm.broken_sign_ups()]
        verdicts, result.mail = await audit.prove_players(bots)
        result.verdicts += verdicts
        if not any(verdict.acknowledged for verdict in result.verdicts):
            raise pages.NotProvedError("no action was acknowledged, so there is nothing to prove")
        if target.admin_key is not None:
            admin = _admin(network, target, target.admin_key, result.swarm.tally)
            readers = [bot.client for bot, verdict in zip(bots, verdicts, strict=True) if not verdict.banned]
            if not readers:
                raise pages.NotProvedError("all bots are banned, so no board can be read")
            result.boards = await boards.prove_boards(readers[0], admin)
        result.failure = ""
    except (pages.NotProvedError, BadAnswerError) as error:
        result.failure = str(error)
