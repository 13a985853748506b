"""A swarm: many bots sign up and play for a while; the proof then compares their records with the server.

The law: a bot that meets an answer outside the wire contract stops and is reported, and the other bots go on. Ctrl-C
ends the play early and goes on to the proof; a second Ctrl-C abandons the phase that is under way.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random

from bots.count.tally import Tally
from bots.play import catalogue, identities
from bots.play.bot import Bot, PlayWindow
from bots.waiting import call_for_all, pause
from bots.wire.channel import Channel
from bots.wire.command_ids import CommandIds
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient

SIGN_UPS_AT_ONCE = 32
FIRST_ANSWER_SECONDS = 15.0
NOBODY = "1"
"""The id of a player that never existed."""


@dataclass(frozen=True, slots=True)
class SwarmPlan:
    """What to run: `sockets` is the share of players on a socket, `rate` each player's actions/s (0: no pause)."""

    players: int
    seconds: float
    sockets: float
    rate: float
    seed: int
    name_prefix: str


@dataclass(slots=True)
class Swarm:
    """The bots and their counters; `played` is how long they played, in seconds."""

    plan: SwarmPlan
    tally: Tally
    stop: asyncio.Event
    bots: list[Bot] = field(default_factory=list)
    signed_up: list[Bot] = field(default_factory=list)
    played: float = 0.0
    phase: str = "signing up"

    def broken_sign_ups(self) -> list[Bot]:
        """The bots whose sign-up got an answer that it must not get."""
        return [bot for bot in self.bots if bot.record.first is None and bot.record.problems]


def make_bots(network: Network, plan: SwarmPlan, tally: Tally) -> list[Bot]:
    """Make the bots; those that play over a socket are spread evenly over the swarm."""
    ids, tag = CommandIds(), identities.new_tag()
    bots = []
    for index in range(plan.players):
        random = Random(f"{plan.seed}:{index}")
        on_socket = int((index + 1) * plan.sockets) > int(index * plan.sockets)
        channels = (Channel.SOCKET, Channel.HTTP) if on_socket else (Channel.HTTP,)
        identity = identities.make(plan.name_prefix, tag, index, random, channels)
        bots.append(Bot(identity, PlayerClient(network, tally, random, identity.device), ids, tally, random))
    return bots


async def play(swarm: Swarm, network: Network) -> None:
    """Sign up and play; raises UnreachableError before anything else if no server answers."""
    swarm.bots = make_bots(network, swarm.plan, swarm.tally)
    impatient = replace(network, patience_seconds=FIRST_ANSWER_SECONDS)
    game = await catalogue.fetch(PlayerClient(impatient, swarm.tally, Random(swarm.plan.seed), None))
    await _sign_up(swarm)
    game = replace(game, words={**game.words, "player": _recipients(swarm)})
    swarm.phase = "playing"
    now = asyncio.get_running_loop().time
    begins = now()
    swarm.tally.start(begins)
    window = PlayWindow(begins, begins + swarm.plan.seconds, swarm.plan.rate, swarm.stop)
    async with asyncio.TaskGroup() as group:
        for bot in swarm.signed_up:
            group.create_task(guarded(bot, bot.play(game, window)))
        group.create_task(_end_of_play(swarm, window))
    swarm.played = max(swarm.played, 0.001)


def _recipients(swarm: Swarm) -> list[str]:
    """The players that the bots may act on: each other, and now and then one that doesn't exist."""
    ids = [bot.record.player_id for bot in swarm.signed_up]
    return ids + [NOBODY] * (len(ids) // 20 + 1)


async def _end_of_play(swarm: Swarm, window: PlayWindow) -> None:
    """Note when the play ends; commands in flight are still awaited after that."""
    now = asyncio.get_running_loop().time
    await pause(window.ends - now(), swarm.stop)
    swarm.played = now() - window.starts
    swarm.tally.finish(now())
    swarm.phase = "waiting for answers"


async def _sign_up(swarm: Swarm) -> None:
    async def sign_up(bot: Bot) -> None:
        if not swarm.stop.is_set() and await bot.sign_up():
            swarm.signed_up.append(bot)

    await call_for_all(lambda bot: guarded(bot, sign_up(bot)), swarm.bots, at_once=SIGN_UPS_AT_ONCE)


async def guarded(bot: Bot, doing: Awaitable[None]) -> None:
    """Run one bot so that its failure stops no other; the failure goes to its record, which fails the proof."""
    try:
        await doing
    except Exception as error:
        bot.record.problems.append(f"{bot.identity.name} stopped: {error!r}")


async def close(bots: Iterable[Bot]) -> None:
    """Close every bot's socket."""
    async with asyncio.TaskGroup() as group:
        for bot in bots:
            group.create_task(bot.client.close())


@asynccontextmanager
async def interruptible(stop: asyncio.Event, abandon: Callable[[], object]) -> AsyncIterator[None]:
    """Let the first SIGINT or SIGTERM set `stop`, and a second one call `abandon`."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if stop.is_set():
            abandon()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
