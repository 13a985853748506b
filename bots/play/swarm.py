"""A swarm: many bots sign up, play for a while, and are then held against the server.

A bot that breaks (which only an answer outside the wire contract does) is reported and stops; it never takes
its neighbours down. Ctrl-C ends the play early and goes on to the proof; a second one abandons what is open.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random

from bots.count.tally import Tally
from bots.play import catalogue, identities
from bots.play.bot import Bot, Play
from bots.wire.command_ids import CommandIds
from bots.wire.door import Door
from bots.wire.link import Link
from bots.wire.network import Network

SIGN_UPS_AT_ONCE = 32
FIRST_ANSWER_SECONDS = 15.0
NOBODY = "1"
"""The id of a player who isn't there, nor ever was."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: `sockets` is the share of players on one, `rate` each player's actions/s (0: no pause)."""

    players: int
    seconds: float
    sockets: float
    rate: float
    seed: int
    name_prefix: str


@dataclass(slots=True)
class Swarm:
    """The bots and what they counted; `played` is in seconds."""

    plan: Plan
    tally: Tally
    stop: asyncio.Event
    bots: list[Bot] = field(default_factory=list)
    signed_up: list[Bot] = field(default_factory=list)
    played: float = 0.0
    phase: str = "signing up"

    def broken_sign_ups(self) -> list[Bot]:
        """The bots whose sign-up got an answer that it must not get."""
        return [bot for bot in self.bots if bot.told.first is None and bot.told.problems]


def gather_bots(network: Network, plan: Plan, tally: Tally) -> list[Bot]:
    """Make the bots; which of them play over a socket is spread evenly."""
    ids, tag = CommandIds(), identities.new_tag()
    made = []
    for index in range(plan.players):
        random = Random(f"{plan.seed}:{index}")
        on_socket = int((index + 1) * plan.sockets) > int(index * plan.sockets)
        doors = (Door.SOCKET, Door.HTTP) if on_socket else (Door.HTTP,)
        identity = identities.make(plan.name_prefix, tag, index, random, doors)
        made.append(Bot(identity, Link(network, tally, random, identity.device), ids, tally, random))
    return made


async def play(swarm: Swarm, network: Network) -> None:
    """Sign up and play; raises catalogue.UnreachableError before anything else if no server answers."""
    swarm.bots = gather_bots(network, swarm.plan, swarm.tally)
    impatient = replace(network, patience_seconds=FIRST_ANSWER_SECONDS)
    game = await catalogue.fetch(Link(impatient, swarm.tally, Random(swarm.plan.seed), None))
    await _sign_up(swarm)
    game = replace(game, words={**game.words, "player": _addressees(swarm)})
    swarm.phase = "playing"
    now = asyncio.get_running_loop().time
    begins = now()
    swarm.tally.start(begins)
    timing = Play(begins, begins + swarm.plan.seconds, swarm.plan.rate, swarm.stop)
    async with asyncio.TaskGroup() as group:
        for bot in swarm.signed_up:
            group.create_task(guarded(bot, bot.play(game, timing)))
        group.create_task(_end_of_play(swarm, timing))
    swarm.played = max(swarm.played, 0.001)


def _addressees(swarm: Swarm) -> list[str]:
    """Whom the bots may do something to: each other, and now and then a player who isn't there."""
    ids = [bot.told.player_id for bot in swarm.signed_up]
    return ids + [NOBODY] * (len(ids) // 20 + 1)


async def _end_of_play(swarm: Swarm, timing: Play) -> None:
    """Note when the play ended; commands in flight are still waited for."""
    now = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(timing.ends - now()):
            await swarm.stop.wait()
    except TimeoutError:
        pass
    swarm.played = now() - timing.starts
    swarm.tally.finish(now())
    swarm.phase = "waiting for answers"


async def _sign_up(swarm: Swarm) -> None:
    room = asyncio.Semaphore(SIGN_UPS_AT_ONCE)

    async def sign_up(bot: Bot) -> None:
        async with room:
            if not swarm.stop.is_set() and await bot.sign_up():
                swarm.signed_up.append(bot)

    async with asyncio.TaskGroup() as group:
        for bot in swarm.bots:
            group.create_task(guarded(bot, sign_up(bot)))


async def guarded(bot: Bot, doing: Awaitable[None]) -> None:
    """Keep one bot's fault to itself; the record makes the proof fail."""
    try:
        await doing
    except Exception as error:
        bot.told.problems.append(f"{bot.identity.name} broke off: {error!r}")


async def close(bots: Iterable[Bot]) -> None:
    """Close every bot's socket."""
    async with asyncio.TaskGroup() as group:
        for bot in bots:
            group.create_task(bot.link.close())


@asynccontextmanager
async def interruptible(stop: asyncio.Event, abandon: Callable[[], object]) -> AsyncIterator[None]:
    """Turn the first SIGINT or SIGTERM into `stop`, and a second into `abandon`."""
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
