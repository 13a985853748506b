"""The doors of the bench are those of the players, but for what is named here."""

from collections import defaultdict

from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request

from bots.load.measure import Measure
from bots.load.running import SocketUse
from bots.wire.connecting import Endpoint
from gameserver.transport.routes import ROUTES
from tests.bench.crowd import Somebody
from tests.bench.doors import DOORS
from tests.bench.stage import Spot, Stage

ENDS_WHAT_IT_NEEDS = {
    "DELETE /v1/players/me",
    "DELETE /v1/sessions",
    "DELETE /v1/sessions/{id}",
    "DELETE /v1/players/me/inbox",
    "DELETE /v1/players/me/inbox/{mail_id}",
}
"""Each such request needs a player, a session or a letter that another door makes."""
STREAMED = {"GET /v1/players/me/export"}
"""The generator reads answers that say their length; `make bench-hostile KINDS=exports` asks for these."""
AS_ANOTHER = {"POST /v1/players/me/password": "sign-up-password"}
"""Costs what this door does, a hash."""
ANSWER = b'{"id":"own","token":"secret","player":{"hp":100},"next_cursor":"next"}'
STATUSES: dict[str, tuple[int, ...]] = defaultdict(lambda: (200,), {"device-changes": (201, 200), "visits": (201, 204)})
"""Of the right answers, where what is asked next depends on them."""


class Known(Stage):
    """Players that nobody has signed up."""

    async def _crowd(self, name: str, make: object) -> list[Somebody]:
        return [Somebody(f"{number}", f"{name} {number}", "device", "token") for number in range(1, self.players + 1)]

    async def _prepared(self, name: str, work: object) -> list[Somebody]:
        return await self._crowd(name, work)


async def test_every_door_of_players_is_measured_or_named_here() -> None:
    found = set[str]()
    app = web.Application()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=ANSWER, content_type="application/json")

    for route in ROUTES:
        app.router.add_route(route.method, route.path, answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/")).rstrip("/")
        spot = Spot(0, Endpoint.parse(url), Measure(0.1, 0.1))
        for door in DOORS.values():
            loop = (await door.open(Known([url], [], 4)))(spot)
            if isinstance(loop, SocketUse):
                found.add("GET /v1/socket")
                continue
            for turn in range(20):
                found.add(await named(app, loop.request(0.0)))
                loop.on_answer(STATUSES[door.name][turn % len(STATUSES[door.name])], ANSWER)
    doors = {f"{route.method} {route.path}" for route in ROUTES if not route.path.startswith("/admin/")}
    assert doors - found == ENDS_WHAT_IT_NEEDS | STREAMED | AS_ANOTHER.keys()
    assert set(AS_ANOTHER.values()) <= DOORS.keys()


async def named(app: web.Application, request: bytes) -> str:
    """The route of a request."""
    method, path, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
    info = await app.router.resolve(make_mocked_request(method, path))
    resource = info.route.resource
    assert resource is not None, f"{method} {path} is no route"
    return f"{method} {resource.canonical}"
