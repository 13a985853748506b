"""The doors that the bench knocks at, and what each connection says there."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from bots.load.closed_loop import HttpLoad, SocketLoad
from bots.load.running import HttpLoop, SocketUse
from bots.wire.connecting import Endpoint
from tests.bench import talk
from tests.bench.crowd import Asker, Somebody
from tests.bench.stage import PASSWORD, Spot, Stage
from tests.bench.talk import DeviceChanges, InTurn, Letters, Loop, Question, Renames, SignUps, Visits, request

Crowd = Callable[[Stage], Awaitable[list[Somebody]]]
LoopFor = Callable[[Spot], HttpLoop | SocketUse]
CHECKS = 8
"""Passwords that are checked at a time: nodes refuse more than a few that wait."""
STALENESS = 5
"""How old a read may be that allows an age, in seconds."""
ON_REPLICAS = ("read-replica", "read-token", "read-proved")
"""Reads that allow an age, that name a version, and whose primary proves that it leads: only of use beside replicas."""
MANY = 20
"""Players that are asked for together."""
ME = "/v1/players/me"
ACTS, BARE, BATCHES = "acts in batches", "bare handler", "sign-ups in batches"


@dataclass(frozen=True, slots=True)
class Door:
    """`open` prepares it and returns what makes each connection's loop.

    `raw` names the limit that it is held against; one that is `proxied` is measured through HAProxy, too. No more than
    `most` connections knock at it.
    """

    name: str
    open: Callable[[Stage], Awaitable[LoopFor]]
    raw: str = ""
    proxied: bool = False
    most: int = 1 << 30


async def sign_ups(_: Stage) -> LoopFor:
    return lambda spot: Loop(spot.measure, SignUps(spot.host))


async def password_sign_ups(_: Stage) -> LoopFor:
    return lambda spot: Loop(spot.measure, SignUps(spot.host, more=f',"password":"{PASSWORD}"'))


async def refused_names(stage: Stage) -> LoopFor:
    taken = (await stage.guests())[0].name
    return lambda spot: Loop(spot.measure, SignUps(spot.host, taken))


async def device_sign_ins(stage: Stage) -> LoopFor:
    return sign_ins([{"device": guest.device} for guest in await stage.guests()])


async def password_sign_ins(stage: Stage) -> LoopFor:
    return sign_ins([{"name": player.name, "password": PASSWORD} for player in await stage.with_passwords()])


def sign_ins(bodies: Sequence[dict[str, str]]) -> LoopFor:
    requests = cache(lambda host: [request("POST", "/v1/sessions", host, body=body) for body in bodies])
    return lambda spot: Loop(spot.measure, Question(requests(spot.host), 201, b'"token"'))


async def acts(stage: Stage) -> LoopFor:
    actors = await stage.actors()
    return lambda spot: HttpLoad(spot.measure, talk.ids, spot.host, spot.of(actors).token, reads=False)


async def sockets(stage: Stage, *, reads: bool) -> LoopFor:
    actors = await stage.actors()
    return lambda spot: SocketUse(spot.endpoint, spot.of(actors).token, SocketLoad(spot.measure, talk.ids, reads=reads))


async def letters(stage: Stage) -> LoopFor:
    healers, patients = await stage.healers(), [actor.id for actor in await stage.actors()]
    return lambda spot: Loop(spot.measure, Letters(spot.host, spot.of(healers).token, patients))


async def device_changes(stage: Stage) -> LoopFor:
    owners = await stage.owners()
    return lambda spot: Loop(spot.measure, DeviceChanges(spot.host, spot.of(owners)))


async def renames(stage: Stage) -> LoopFor:
    owners = await stage.owners()
    return lambda spot: Loop(spot.measure, Renames(spot.host, spot.of(owners)))


async def visits(stage: Stage) -> LoopFor:
    guests = await stage.guests()
    return lambda spot: Loop(spot.measure, Visits(spot.host, spot.of(guests).device))


async def list_changes(which: str, stage: Stage) -> LoopFor:
    """Each connection's player puts another one on a list of its own, and takes it off again."""
    actors = await stage.actors()

    def loop(spot: Spot) -> HttpLoop:
        player, other = spot.of(actors), actors[(spot.number + len(actors) // 2) % len(actors)]
        path = f"/v1/players/me/{which}/{other.id}"
        steps = [(request(method, path, spot.host, token=player.token), 204) for method in ("PUT", "DELETE")]
        return Loop(spot.measure, InTurn(steps))

    return loop


async def others(path: str, needle: bytes, stage: Stage) -> LoopFor:
    """Each connection's player asks for others: one, or many with their ids separated by commas."""
    players = await stage.actors()
    ids = [player.id for player in players]
    paths = [path.format(",".join(ids[:MANY]))] if "?ids=" in path else [path.format(one) for one in ids]

    def loop(spot: Spot) -> HttpLoop:
        asked = [request("GET", one, spot.host, token=spot.of(players).token) for one in paths]
        return Loop(spot.measure, Question(asked, 200, needle))

    return loop


async def second_pages(path: str, stage: Stage) -> LoopFor:
    """What follows the first places of a board."""
    await stage.actors()
    asker = await Asker.open(Endpoint.parse(stage.urls[0]))
    first = await asker.get("GET", path, 200)
    asker.close()
    following = f"{path}&cursor={first['next_cursor']}"
    return lambda spot: Loop(spot.measure, Question([request("GET", following, spot.host)], 200, b'"entries"'))


async def documents(paths: Sequence[str], _: Stage) -> LoopFor:
    """What everybody may read and seldom changes."""
    requests = cache(lambda host: [request("GET", path, host) for path in paths])
    return lambda spot: Loop(spot.measure, Question(requests(spot.host)))


async def own(path: str, needle: bytes, crowd: Crowd, stage: Stage, *, versions: bool = False) -> LoopFor:
    """Each connection's player asks for something of its own; with `versions` as new as one that every replica has."""
    players = await crowd(stage)

    def loop(spot: Spot) -> HttpLoop:
        player = spot.of(players)
        newest = f"{player.id}:1" if versions else ""
        asked = request("GET", path, spot.host, token=player.token, consistency=newest)
        return Loop(spot.measure, Question([asked], 200, needle))

    return loop


async def places(path: str, needle: bytes, stage: Stage) -> LoopFor:
    """Anybody asks for the place of some player."""
    players = stage.ids or [actor.id for actor in await stage.actors()]
    requests = cache(lambda host: [request("GET", path.format(player), host) for player in players])
    return lambda spot: Loop(spot.measure, Question(requests(spot.host), 200, needle))


def read(name: str, path: str, needle: bytes, crowd: Crowd = Stage.actors, *, proxied: bool = False) -> Door:
    return Door(name, partial(own, path, needle, crowd), BARE, proxied)


async def nothing(_: Stage) -> LoopFor:
    return lambda spot: Loop(spot.measure, Question([request("GET", "/", spot.host)]))


DOORS = {
    door.name: door
    for door in (
        Door("sign-up", sign_ups, BATCHES),
        Door("sign-up-password", password_sign_ups, most=CHECKS),
        Door("name-taken", refused_names),
        Door("sign-in-device", device_sign_ins),
        Door("sign-in-password", password_sign_ins, most=CHECKS),
        Door("act-http", acts, ACTS, proxied=True),
        Door("act-socket", partial(sockets, reads=False), ACTS, proxied=True),
        read("read-http", ME, b'"hp"', proxied=True),
        Door("read-socket", partial(sockets, reads=True)),
        Door("read-replica", partial(own, f"{ME}?max_staleness={STALENESS}", b'"hp"', Stage.actors)),
        Door("read-token", partial(own, ME, b'"hp"', Stage.actors, versions=True)),
        Door("read-proved", partial(own, f"{ME}?max_staleness=0", b'"hp"', Stage.actors)),
        Door("top", partial(places, "/v1/boards/exp?limit=100", b'"entries"'), BARE),
        Door("around", partial(places, "/v1/boards/exp/around/{}?radius=5", b'"entries"'), BARE),
        Door("rank", partial(places, "/v1/boards/exp/ranks/{}", b'"rank"'), BARE),
        Door("board-page", partial(second_pages, "/v1/boards/exp?limit=2"), BARE),
        Door("ranks", partial(others, "/v1/boards/exp/ranks?ids={}", b'"entries"'), BARE),
        Door("player", partial(others, "/v1/players/{}", b'"class"'), BARE),
        Door("players", partial(others, "/v1/players?ids={}", b'"players"'), BARE),
        read("friends-board", "/v1/boards/exp/friends", b'"entries"', Stage.befriended),
        read("blocks", "/v1/players/me/blocks", b'"blocks"'),
        Door("documents", partial(documents, ("/v1/actions", "/v1/classes", "/v1/boards")), BARE),
        Door("probes", partial(documents, ("/live", "/ready")), BARE),
        Door("metrics", partial(documents, ("/metrics",)), BARE),
        Door("friend-changes", partial(list_changes, "friends")),
        Door("block-changes", partial(list_changes, "blocks")),
        Door("visits", visits),
        read("inbox", "/v1/players/me/inbox", b'"healed"', Stage.healed),
        read("ledger", "/v1/players/me/ledger", b'"hunt"', Stage.hunters),
        read("items", "/v1/players/me/items", b'"items"', Stage.hunters),
        read("friends", "/v1/players/me/friends", b'"friends"', Stage.befriended),
        read("devices", "/v1/players/me/devices", b'"devices"', Stage.owners),
        read("feed", "/v1/players/me/feed", b'"hunt"', Stage.hunters),
        read("sessions", "/v1/sessions", b'"sessions"'),
        Door("device-changes", device_changes),
        Door("renames", renames),
        Door("mail", letters, ACTS),
    )
}
BARE_DOOR = Door(BARE, nothing)
