"""The doors that the bench knocks at, and what each connection says there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache, partial

from bots.load.closed_loop import HttpLoad
from bots.load.connecting import Endpoint
from bots.load.measure import Measure
from bots.load.running import HttpLoop
from tests.bench import talk
from tests.bench.crowd import Somebody, sign_up
from tests.bench.talk import Loop, Question, SignUps, request

PLAYERS = 256
"""Of a crowd: as many as there are connections, at the most."""


@dataclass
class Stage:
    """What all doors of a stack share: its nodes' addresses, and crowds of players by their kind."""

    urls: list[str]
    crowds: dict[str, list[Somebody]] = field(default_factory=dict)

    async def crowd(self, kind: str, make: Callable[[], Awaitable[list[Somebody]]]) -> list[Somebody]:
        if kind not in self.crowds:
            self.crowds[kind] = await make()
        return self.crowds[kind]

    async def actors(self) -> list[Somebody]:
        """Players that act and read."""
        return await self.crowd("actors", partial(sign_up, self.urls, PLAYERS))

    async def guests(self) -> list[Somebody]:
        """Players that sign in."""
        return await self.crowd("guests", partial(sign_up, self.urls, PLAYERS))


@dataclass(frozen=True, slots=True)
class Spot:
    """One connection of a measurement: its number, and where it goes."""

    number: int
    endpoint: Endpoint
    measure: Measure

    @property
    def host(self) -> str:
        return self.endpoint.authority


Opening = Callable[[Stage], Awaitable[Callable[[Spot], HttpLoop]]]
"""Prepares a door; returns what makes each connection's loop."""


@dataclass(frozen=True, slots=True)
class Door:
    """`raw` names the limit that the door is held against."""

    name: str
    open: Opening
    raw: str = ""


def talking(spot: Spot, words: talk.Talk) -> Loop:
    return Loop(spot.measure, words)


async def sign_ups(_: Stage) -> Callable[[Spot], HttpLoop]:
    return lambda spot: talking(spot, SignUps(spot.host))


async def refused_names(stage: Stage) -> Callable[[Spot], HttpLoop]:
    taken = (await stage.guests())[0].name
    return lambda spot: talking(spot, SignUps(spot.host, taken))


async def device_sign_ins(stage: Stage) -> Callable[[Spot], HttpLoop]:
    bodies = [{"device": guest.device} for guest in await stage.guests()]
    requests = cache(lambda host: [request("POST", "/v1/sessions", host, body=body) for body in bodies])
    return lambda spot: talking(spot, Question(requests(spot.host), 201, b'"token"'))


async def acts(stage: Stage) -> Callable[[Spot], HttpLoop]:
    actors = await stage.actors()
    return lambda spot: HttpLoad(spot.measure, talk.ids, spot.host, actors[spot.number % PLAYERS].token, reads=False)


async def read(path: str, needle: bytes, stage: Stage) -> Callable[[Spot], HttpLoop]:
    """Each connection's player asks for something of its own."""
    actors = await stage.actors()

    def loop(spot: Spot) -> HttpLoop:
        token = actors[spot.number % PLAYERS].token
        return talking(spot, Question([request("GET", path, spot.host, token=token)], 200, needle))

    return loop


def reading(name: str, path: str, needle: bytes) -> Door:
    return Door(name, partial(read, path, needle), raw="bare handler")


DOORS = {
    door.name: door
    for door in (
        Door("sign-up", sign_ups, raw="sign-ups in batches"),
        Door("name-taken", refused_names),
        Door("sign-in-device", device_sign_ins),
        Door("act-http", acts, raw="acts in batches"),
        reading("read-http", "/v1/players/me", b'"hp"'),
    )
}
