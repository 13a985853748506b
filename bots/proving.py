"""The proof of a run: what is proved, for whom, and in which order."""

import asyncio
from dataclasses import dataclass, replace
from random import Random

from bots.count.tally import Tally
from bots.history.writer import HistoryWriter
from bots.play.plan import SwarmPlan
from bots.probes.ground import ProbeGround
from bots.proof import audit, boards, pages, points, sometimes
from bots.proof.invariants import REWARDS
from bots.proof.players import PlayerVerdict, of_answers
from bots.proof.result import RunResult
from bots.waiting import cancel_and_wait
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


def ground_of(network: Network, target: Target, plan: SwarmPlan) -> ProbeGround:
    """Make what the probes of a run share."""
    admin = None if target.admin_key is None else administrator(network, target, target.admin_key, Tally())
    return ProbeGround(network, admin, plan.name_prefix, asyncio.Event(), Random(plan.seed))


def administrator(network: Network, target: Target, key: str, tally: Tally) -> PlayerClient:
    """Make a client with the admin key."""
    client = PlayerClient(replace(network, urls=target.admin_urls), tally, Random(0), None)
    client.token = key
    return client


async def prove(result: RunResult, target: Target, ground: ProbeGround, proof: ProofPlan) -> None:
    """Enter the proof into the result, or why it couldn't be carried out."""
    result.failure = "the proof was abandoned"
    result.findings = ground.findings
    misled = next((bot.misled for bot in result.swarm.signed_up if bot.misled), "")
    try:
        await _prove_all(result, target, ground)
        result.failure = misled
    except (pages.NotProvedError, BadAnswerError) as error:
        result.failure = misled or str(error)
    records = [bot.record for bot in result.swarm.signed_up]
    others = {"a reward": result.points.checked[REWARDS], **ground.findings.happened}
    result.sightings = sometimes.sightings(result.swarm.tally, records, result.mail, others, proof.expected)


async def _prove_all(result: RunResult, target: Target, ground: ProbeGround) -> None:
    """Prove the players, then the boards. Raises NotProvedError, BadAnswerError."""
    bots = result.swarm.signed_up
    if not bots:
        raise pages.NotProvedError("no bot could sign up, so there is nothing to prove")
    result.verdicts = [PlayerVerdict(unexplained=of_answers(bot.record)) for bot in result.swarm.broken_sign_ups()]
    key = target.admin_key
    admin = None if key is None else administrator(ground.network, target, key, result.swarm.tally)
    proved = await audit.prove_players([*bots, *ground.players], operator=admin)
    result.verdicts, result.mail = [*result.verdicts, *proved.verdicts], proved.mail
    if not any(verdict.acknowledged for verdict in result.verdicts):
        raise pages.NotProvedError("no action was acknowledged, so there is nothing to prove")
    readers = [bot.client for bot, verdict in zip(bots, proved.verdicts, strict=False) if not verdict.gone]
    if not readers:
        raise pages.NotProvedError("all bots are banned or deleted, so no board can be read")
    gone = ground.findings.gone + sum(bool(verdict.gone) for verdict in proved.verdicts)
    played = points.Played(proved.ledgers, gone, proved.reread)
    proving = [
        asyncio.create_task(_prove_points(result, readers[0], played, admin)),
        asyncio.create_task(_prove_boards(result, readers[0], admin, proved)),
    ]
    try:
        await asyncio.gather(*proving)
    finally:
        await cancel_and_wait(*proving)


async def _prove_points(
    result: RunResult, reader: PlayerClient, played: points.Played, admin: PlayerClient | None
) -> None:
    result.points = await points.prove_points(reader, played, boards.CATCH_UP_SECONDS, admin)


async def _prove_boards(
    result: RunResult, reader: PlayerClient, admin: PlayerClient | None, proved: audit.PlayersProved
) -> None:
    if admin is not None:
        present = boards.PresentPlayers(proved.ledgers, proved.reread)
        result.boards = await boards.prove_boards(reader, boards.Rankers(admin, admin), present)
