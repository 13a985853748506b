"""A whole run: play, then prove; whatever ends the play early, the proof is still tried."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

from rich.console import Console

from bots.count.tally import Tally
from bots.play import swarm
from bots.play.swarm import Plan, Swarm
from bots.proof import audit, pages, spread, standings
from bots.proof.outcome import Outcome
from bots.proof.verdict import Verdict
from bots.report import progress
from bots.wire import client
from bots.wire.link import Link
from bots.wire.network import Network
from bots.wire.wire import BadAnswerError


@dataclass(frozen=True, slots=True)
class Target:
    """Where to play, and where the admin key is good; without one the boards aren't proved.

    `patience` is how many seconds to go on asking.
    """

    urls: tuple[str, ...]
    admin_key: str | None
    admin_urls: tuple[str, ...]
    patience: float


async def run(plan: Plan, target: Target, console: Console) -> Outcome:
    """Play and prove. Raises UnreachableError when no server answers at the start."""
    outcome = Outcome(Swarm(plan, Tally(), asyncio.Event()))
    async with client.open_session() as session:
        network = Network(session, target.urls, patience_seconds=target.patience)
        try:
            async with _watched(outcome, network, target):
                await _phase(outcome, console, swarm.play(outcome.swarm, network))
            outcome.swarm.phase = "proving"
            await _phase(outcome, console, _prove(outcome, network, target))
        finally:
            await swarm.close(outcome.swarm.bots)
    return outcome


@asynccontextmanager
async def _watched(outcome: Outcome, network: Network, target: Target) -> AsyncIterator[None]:
    """Reads before and after the play what the databases hold; what is asked for that isn't counted as play."""
    if target.admin_key is None:
        yield
        return
    admin = _admin(network, target, target.admin_key, Tally())
    first = asyncio.create_task(spread.read(admin))
    try:
        yield
    finally:
        before = spread.taken(first)
    if before is not None:
        outcome.spread = spread.between(before, await spread.read(admin))


def _admin(network: Network, target: Target, key: str, tally: Tally) -> Link:
    link = Link(replace(network, urls=target.admin_urls), tally, Random(0), None)
    link.token = key
    return link


async def _phase(outcome: Outcome, console: Console, doing: Awaitable[None]) -> None:
    """Carry out one phase under a progress line; a second Ctrl-C breaks it off."""
    phase = asyncio.ensure_future(doing)
    shown = asyncio.create_task(progress.show(console, outcome.swarm))
    try:
        async with swarm.interruptible(outcome.swarm.stop, phase.cancel):
            await asyncio.wait({phase})
        if phase.cancelled():
            console.print(f"[yellow]{outcome.swarm.phase}: broken off[/]")
        else:
            phase.result()
    finally:
        for task in (phase, shown):
            task.cancel()
        await asyncio.gather(phase, shown, return_exceptions=True)


async def _prove(outcome: Outcome, network: Network, target: Target) -> None:
    bots = outcome.swarm.signed_up
    outcome.failure = "the proof was broken off"
    try:
        if not bots:
            raise pages.NotProvedError("no bot could sign up, so there is nothing to prove")
        outcome.verdicts = [Verdict(unexplained=bot.told.problems) for bot in outcome.swarm.broken_sign_ups()]
        verdicts, outcome.mail = await audit.prove_players(bots)
        outcome.verdicts += verdicts
        if not any(verdict.acknowledged for verdict in outcome.verdicts):
            raise pages.NotProvedError("no action was acknowledged, so there is nothing to prove")
        if target.admin_key is not None:
            admin = _admin(network, target, target.admin_key, outcome.swarm.tally)
            outcome.boards = await standings.prove_boards(bots[0].link, admin)
        outcome.failure = ""
    except (pages.NotProvedError, BadAnswerError) as error:
        outcome.failure = str(error)
