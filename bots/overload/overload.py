"""The course of an overload: players sign up, then each door's capacity is found, and twice that is asked of it."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from bots.count.tally import Tally
from bots.overload import memory, state
from bots.overload.doors import DOORS, Cast, OverloadDoor, Questioner
from bots.overload.loads import LoadSpan, arrivals, closed_load, open_load
from bots.overload.pools import HttpPool, Pool, SocketPool
from bots.overload.questions import Treatment
from bots.overload.tally import DoorTally
from bots.overload.verdict import DoorVerdict, OverloadResult
from bots.play import identities, recruits, swarm
from bots.play.bot import Bot
from bots.play.plan import SwarmPlan
from bots.proof.pages import NotProvedError
from bots.waiting import call_for_all
from bots.wire import http
from bots.wire.connecting import Endpoint, allow_files
from bots.wire.errors import UnreachableError
from bots.wire.network import Network

TWICE = 2.0
WARM_UP_SECONDS, LONGEST_SECONDS = 0.5, 10.0
SIGN_UPS_AT_ONCE = 16
SPARE_FILES = 512
RECOVERY_SECONDS, GLANCE_SECONDS = 10.0, 0.5
RECOVERY_AT_ONCE = 8
ACTORS = frozenset({"act-http", "act-socket", "read", "ledger"})


@dataclass(frozen=True, slots=True)
class OverloadPlan:
    """What to do: the doors in their order, for so many seconds each, after `capacity_seconds` to find its capacity.

    `connections` are those of an HTTP door, at the most; `players` act, read and sign in. The memory of the nodes that
    `operators_urls` name may grow by `memory_mib`.
    """

    urls: tuple[str, ...]
    doors: Sequence[str]
    seconds: float
    seed: int
    players: int = 256
    connections: int = 4096
    capacity_seconds: float = 2.0
    operators_urls: tuple[str, ...] = ()
    memory_mib: int = 256


async def overload(plan: OverloadPlan, show: Callable[[DoorVerdict], object]) -> OverloadResult:
    """Overload the doors and prove the state; `show` gets each door's verdict. Raises UnreachableError, OSError."""
    allow_files(plan.connections + plan.players + SPARE_FILES)
    result = OverloadResult(plan.seed)
    async with http.open_session() as session:
        network = Network(session, plan.urls)
        cast = await _cast(plan, network)
        try:
            async with memory.watched(session.client, plan.operators_urls, plan.memory_mib) as result.memory:
                for name in plan.doors:
                    result.doors.append(await _overload(DOORS[name], cast, plan))
                    show(result.doors[-1])
                    await _settle(result, cast, network)
            await _prove_acts(result, cast)
        finally:
            await swarm.close([*cast.actors, *cast.guests])
    return result


async def _cast(plan: OverloadPlan, network: Network) -> Cast:
    """Sign up whom the doors need. Raises UnreachableError."""
    random, tag = Random(plan.seed), identities.new_tag()
    actors = await _sign_up(plan, network, "ovact") if ACTORS & {*plan.doors} else []
    guests = await _sign_up(plan, network, "ovguest") if "sign-in" in plan.doors else []
    return Cast(Endpoint.parse(plan.urls[0]).authority, random, tag, actors, guests)


async def _sign_up(plan: OverloadPlan, network: Network, prefix: str) -> list[Bot]:
    bots = recruits.make_bots(network, SwarmPlan(plan.players, 0.0, 0.0, 0.0, plan.seed, prefix), Tally())
    if not all(await call_for_all(Bot.sign_up, bots, at_once=SIGN_UPS_AT_ONCE)):
        raise UnreachableError("not every player could sign up")
    return bots


async def _overload(door: OverloadDoor, cast: Cast, plan: OverloadPlan) -> DoorVerdict:
    """Find a door's capacity, ask twice that of it, and wait until it answers as before."""
    questioner, random = door.questioner(cast), Random(f"{plan.seed}:{door.name}")
    calm, tally = (DoorTally(door.deadline, keeps=door.keeps) for _ in range(2))
    async with _pool(door, cast, plan, tally) as pool:
        at_once = min(door.at_once, plan.connections)
        capacity = await _capacity(questioner, pool, calm, at_once, plan.capacity_seconds)
        if not capacity:
            raise UnreachableError(f"{door.name}: no good answer ({', '.join(calm.faults()) or dict(calm.codes)})")
        verdict = DoorVerdict(door.name, capacity, TWICE * capacity, plan.seconds, tally)
        tally.started = time.monotonic()
        await open_load(questioner, pool, tally, arrivals(verdict.wanted, random), plan.seconds)
        verdict.recovered = await _recover(questioner, pool, tally, min(at_once, RECOVERY_AT_ONCE))
    tally.heard += calm.heard
    return verdict


async def _capacity(questioner: Questioner, pool: Pool, tally: DoorTally, at_once: int, seconds: float) -> float:
    """Good answers per second in a closed loop, which goes on for longer while there are none."""
    capacity = 0.0
    while not capacity and seconds <= LONGEST_SECONDS:
        window = LoadSpan(seconds, min(WARM_UP_SECONDS, seconds))
        capacity = await closed_load(questioner, pool, tally, at_once, window)
        seconds *= 2
    return capacity


async def _recover(questioner: Questioner, pool: Pool, tally: DoorTally, at_once: int) -> float | None:
    """Return after how many seconds the door gives only good answers again; None if it doesn't."""
    ended = time.monotonic()
    while time.monotonic() - ended < RECOVERY_SECONDS:
        glance = DoorTally(tally.deadline, keeps=tally.keeps)
        await closed_load(questioner, pool, glance, at_once, LoadSpan(GLANCE_SECONDS))
        tally.heard += glance.heard
        treatments = glance.treatments
        if treatments[Treatment.ANSWERED] and not glance.faults() and not treatments[Treatment.TURNED_AWAY]:
            return time.monotonic() - ended
    return None


@asynccontextmanager
async def _pool(door: OverloadDoor, cast: Cast, plan: OverloadPlan, tally: DoorTally) -> AsyncIterator[Pool]:
    endpoints = [Endpoint.parse(url) for url in plan.urls]
    pool: HttpPool | SocketPool
    if door.on_socket:
        pool = SocketPool(tally, lambda question: int(question.about[0]))
        await pool.open(endpoints, [actor.client.token or "" for actor in cast.actors])
    else:
        pool = HttpPool(endpoints, plan.connections, tally)
    try:
        yield pool
    finally:
        await pool.close()


async def _settle(result: OverloadResult, cast: Cast, network: Network) -> None:
    """Keep what a door acknowledged for the proof, or prove it at once."""
    verdict = result.doors[-1]
    hearings, verdict.tally.heard = verdict.tally.heard, []
    if verdict.door.startswith("act"):
        state.enter_acts(cast.actors, hearings)
    elif verdict.door == "sign-up":
        tried, faults = await state.prove_sign_ups(network, hearings, cast.random)
        result.sign_ups += tried
        result.state_faults += faults


async def _prove_acts(result: OverloadResult, cast: Cast) -> None:
    if any(verdict.door.startswith("act") for verdict in result.doors):
        try:
            result.acts, faults = await state.prove_acts(cast.actors)
        except NotProvedError as error:
            faults = [f"the acts aren't proved: {error}"]
        result.state_faults += faults
