"""Makes the bots of a swarm by the mix of its plan, and signs them up: before the play, and in storms during it."""

import asyncio
from random import Random

from bots.count.tally import Tally
from bots.play import habits, identities
from bots.play.bot import Bot
from bots.play.catalogue import Catalogue
from bots.play.habits import Habit
from bots.play.plan import SwarmPlan
from bots.play.swarm import Swarm, guarded
from bots.waiting import call_for_all
from bots.wire.channel import Channel
from bots.wire.command_ids import CommandIds
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient

SIGN_UPS_AT_ONCE = 32
NOBODY = "1"
"""The id of a player that never existed."""
TRIES = 20
SIGNS_UP_TWICE = 50
"""One in so many bots does, the first of them included."""


class Recruits:
    """The bots of one swarm; `rows` has those of each row of the mix that have signed up."""

    def __init__(self, swarm: Swarm, network: Network) -> None:
        self.swarm = swarm
        self.rows: list[list[Bot]] = [[] for _ in swarm.plan.mix]
        self._network = network
        self._ids, self._tag = CommandIds(), identities.new_tag()
        self._habits: list[Habit] = [habits.named(row.habit) for row in swarm.plan.mix]
        self._row_of: dict[Bot, int] = {}
        self._catalogue: Catalogue | None = None

    def make_all(self) -> list[Bot]:
        """Make the players of the plan."""
        for seat in self.swarm.plan.seats():
            self._make(seat.row, on_socket=seat.on_socket)
        return list(self.swarm.bots)

    async def sign_up_all(self) -> None:
        """Make and sign up the players of the plan, several at a time, until the swarm is stopped."""

        async def sign_up(bot: Bot) -> None:
            if not self.swarm.stop.is_set():
                await self._sign_up(bot, None)

        await call_for_all(lambda bot: guarded(bot, sign_up(bot)), self.make_all(), at_once=SIGN_UPS_AT_ONCE)

    def begin_play(self, catalogue: Catalogue) -> None:
        """Tell every bot what the game offers."""
        self._catalogue = catalogue
        for bot in self.swarm.signed_up:
            self._begin_play(bot, catalogue)

    def recruit(self) -> Bot:
        """Make one more player, of the mix's first row."""
        return self._make(0, on_socket=self.swarm.plan.sockets_of(0) > 0)

    async def sign_up(self, bot: Bot, planned: float) -> None:
        """Sign up a player that was recruited during the play."""
        await self._sign_up(bot, planned)
        if bot.record.first is not None and self._catalogue is not None:
            self._begin_play(bot, self._catalogue)

    def row_of(self, bot: Bot) -> int:
        """Return the row of the mix that a bot belongs to."""
        return self._row_of[bot]

    def draw(self, random: Random, *, on_socket: bool = False) -> Bot | None:
        """Draw a player, if need be one on a socket; None if none was found."""
        for _ in range(TRIES if self.swarm.signed_up else 0):
            bot = random.choice(self.swarm.signed_up)
            if not bot.stopped and (not on_socket or bot.identity.channel is Channel.SOCKET):
                return bot
        return None

    def recipients(self) -> list[str]:
        """The players that the bots may act on: each other, and now and then one that doesn't exist."""
        ids = [bot.record.player_id for bot in self.swarm.signed_up]
        return ids + [NOBODY] * (len(ids) // 20 + 1)

    async def _sign_up(self, bot: Bot, planned: float | None) -> None:
        if await bot.sign_up(planned):
            self.swarm.signed_up.append(bot)
            self.rows[self._row_of[bot]].append(bot)

    def _begin_play(self, bot: Bot, catalogue: Catalogue) -> None:
        bot.begin_play(catalogue, self._habits[self._row_of[bot]], self.swarm.placement)

    def _make(self, row: int, *, on_socket: bool) -> Bot:
        plan, index = self.swarm.plan, len(self.swarm.bots)
        random = Random(f"{plan.seed}:{index}")
        channels = (Channel.SOCKET, Channel.HTTP) if on_socket else (Channel.HTTP,)
        identity = identities.make(
            plan.name_prefix, self._tag, index, random, channels, class_name=self._habits[row].class_name
        )
        client = PlayerClient(self._network, self.swarm.tally, random, identity.device)
        bot = Bot(identity, client, self._ids, self.swarm.tally, random)
        bot.signs_up_twice = index % SIGNS_UP_TWICE == 0
        self._row_of[bot] = row
        self.swarm.bots.append(bot)
        return bot


def make_bots(network: Network, plan: SwarmPlan, tally: Tally) -> list[Bot]:
    """Make the players of a plan for a use that isn't a play."""
    return Recruits(Swarm(plan, tally, asyncio.Event()), network).make_all()
