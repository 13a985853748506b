"""The players that the doors of one stack share, prepared when the first door needs them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bots.load.measure import Measure
from bots.wire.connecting import Endpoint
from tests.bench import crowd
from tests.bench.crowd import Somebody, sign_up

WITH_PASSWORDS = 64
PASSWORD = "quite a long password 7"
FRIENDS = LETTERS = HUNTS = 10


@dataclass
class Stage:
    """`urls` are the nodes', `ids` those of players that were loaded before, `players` how many a crowd has."""

    urls: list[str]
    ids: Sequence[str]
    players: int
    _crowds: dict[str, list[Somebody]] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    async def actors(self) -> list[Somebody]:
        """Players that act and read."""
        return await self._crowd("actors", partial(sign_up, self.urls, self.players))

    async def guests(self) -> list[Somebody]:
        """Players that sign in, so often that their first sessions end."""
        return await self._crowd("guests", partial(sign_up, self.urls, self.players))

    async def owners(self) -> list[Somebody]:
        """Players with devices."""
        return await self._crowd("owners", partial(sign_up, self.urls, self.players))

    async def with_passwords(self) -> list[Somebody]:
        count = min(self.players, WITH_PASSWORDS)
        return await self._crowd("with passwords", partial(sign_up, self.urls, count, password=PASSWORD))

    async def healers(self) -> list[Somebody]:
        """Players that write letters."""
        return await self._crowd("healers", partial(sign_up, self.urls, self.players, "priest"))

    async def befriended(self) -> list[Somebody]:
        """Actors with some friends each."""
        return await self._prepared("friends", partial(crowd.befriend, self.urls, await self.actors(), FRIENDS))

    async def hunters(self) -> list[Somebody]:
        """Actors with some history, and what wolves drop."""
        orders: list[tuple[str, dict[str, Any]]] = [("hunt", {"foe": "wolf"}), ("rest", {})]
        played = partial(crowd.play, self.urls, await self.actors(), HUNTS, lambda _, turn: orders[turn % 2])
        return await self._prepared("hunted", played)

    async def healed(self) -> list[Somebody]:
        """Actors with some letters each."""
        actors = await self.actors()
        orders: list[tuple[str, dict[str, Any]]] = [("heal_other", {"player": actor.id}) for actor in actors]
        healers = await self.healers()
        return await self._prepared(
            "letters", partial(crowd.play, self.urls, healers, LETTERS, lambda number, _: orders[number])
        )

    async def _crowd(self, name: str, make: Callable[[], Awaitable[list[Somebody]]]) -> list[Somebody]:
        if name not in self._crowds:
            self._crowds[name] = await make()
        return self._crowds[name]

    async def _prepared(self, name: str, work: Callable[[], Awaitable[None]]) -> list[Somebody]:
        """The actors, for whom this is done once."""
        if name not in self._done:
            self._done.add(name)
            await work()
        return await self.actors()


@dataclass(frozen=True, slots=True)
class Spot:
    """One connection of a measurement: its number, and where it goes."""

    number: int
    endpoint: Endpoint
    measure: Measure

    @property
    def host(self) -> str:
        return self.endpoint.authority

    def of(self, players: Sequence[Somebody]) -> Somebody:
        """The player of this connection."""
        return players[self.number % len(players)]
