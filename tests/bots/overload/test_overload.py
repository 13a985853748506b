"""The overload of a door finds its capacity, asks twice that of it, and tells what breaks the promise."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import islice
from random import Random

import pytest
from aiohttp import web

from bots.overload import doors, loads
from bots.overload.doors import OverloadDoor
from bots.overload.loads import arrivals
from bots.overload.memory import NodeMemory
from bots.overload.overload import OverloadPlan, overload
from bots.overload.questions import Treatment
from bots.overload.verdict import OverloadResult

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]
PLACES, SECONDS = 4, 0.02
"""A server with these serves 200 a second."""


class Desk:
    """A server with a few places; `turn_away` answers whom it has no place for."""

    def __init__(self, turn_away: Callable[[], Awaitable[web.Response]]) -> None:
        self._turn_away, self._busy = turn_away, 0

    async def serve(self, _: web.Request) -> web.StreamResponse:
        if self._busy >= PLACES:
            return await self._turn_away()
        self._busy += 1
        try:
            await asyncio.sleep(SECONDS)
            return web.json_response({"entries": []})
        finally:
            self._busy -= 1


def refusal(status: int, **headers: str) -> Callable[[], Awaitable[web.Response]]:
    async def answer() -> web.Response:
        return web.json_response({"code": "overloaded"}, status=status, headers=headers)

    return answer


async def silence() -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def lateness() -> web.Response:
    await asyncio.sleep(0.7)
    return web.json_response({"entries": []})


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[str]:
    async def figures(_: web.Request) -> web.Response:
        return web.Response(text="process_resident_memory_bytes 1.5e+06\n")

    app = web.Application()
    app.add_routes([web.get("/v1/boards/exp", serve), web.get("/metrics", figures)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "GRACE_SECONDS", 0.4)
    door = OverloadDoor("top", doors.DOORS["top"].questioner, at_once=PLACES, deadline=0.4)
    monkeypatch.setattr("bots.overload.overload.DOORS", {"top": door})


async def overloaded(serve: Serve) -> OverloadResult:
    async with served(serve) as url:
        plan = OverloadPlan((url,), ["top"], 0.4, 7, connections=200, capacity_seconds=0.2, operators_urls=(url,))
        return await overload(plan, lambda verdict: None)


async def test_a_door_that_says_when_to_come_back_holds() -> None:
    result = await overloaded(Desk(refusal(503, **{"Retry-After": "1"})).serve)
    (door,) = result.doors
    assert result.ok, door.faults()
    tally = door.tally
    assert tally.planned == tally.sent + tally.held_back + tally.unsent
    assert door.wanted == 2 * door.capacity
    assert tally.treatments[Treatment.TURNED_AWAY] > 0
    assert set(tally.codes) == {"503 overloaded"}
    assert [node.before for node in result.memory] == [1_500_000]


@pytest.mark.family(2)
@pytest.mark.parametrize(
    ("turn_away", "told"),
    [
        (refusal(503), "503 overloaded without Retry-After"),
        (refusal(500), "500 overloaded"),
        (silence, "got no answer"),
        (lateness, "0.4 s are promised"),
    ],
)
async def test_what_breaks_the_promise_is_told(turn_away: Callable[[], Awaitable[web.Response]], told: str) -> None:
    result = await overloaded(Desk(turn_away).serve)
    assert not result.ok
    assert told in "\n".join(result.doors[0].faults())


async def test_clients_that_all_wait_hold_back_the_rest() -> None:
    """A server without a bound of its own is bounded by its clients: that is told, and no fault."""
    room = asyncio.Semaphore(PLACES)

    async def serve(_: web.Request) -> web.Response:
        async with room:
            await asyncio.sleep(SECONDS)
            return web.json_response({"entries": []})

    async with served(serve) as url:
        plan = OverloadPlan((url,), ["top"], 0.4, 7, connections=8, capacity_seconds=0.2)
        result = await overload(plan, lambda verdict: None)
    assert result.doors[0].tally.held_back > 0
    assert result.ok, result.doors[0].faults()


def test_arrivals_are_of_a_seed_and_of_their_rate() -> None:
    first, again = (list(islice(arrivals(50.0, Random("7:top")), 2000)) for _ in range(2))
    assert first == again
    assert first == sorted(first)
    assert 35 < first[-1] < 45


def test_memory_is_bounded_by_how_much_it_grows() -> None:
    node = NodeMemory("http://one", most=100)
    assert not node.is_bounded
    for resident in (1000, 1100, 1050):
        node.note(resident)
    assert node.is_bounded
    assert (node.before, node.peak, node.after) == (1000, 1100, 1050)
    node.note(1101)
    assert not node.is_bounded
