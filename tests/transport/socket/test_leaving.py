"""A node that is stopping: it says so first, and goes on serving until load balancers have noticed."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest
from aiohttp import web

from gameserver import app as application
from gameserver.commands.pacing import ActionPacing
from gameserver.config.settings import Settings
from gameserver.rules.pacing import Pace
from gameserver.transport.board_pages import BoardPages
from gameserver.transport.draining import NOTICED_SECONDS, Draining
from gameserver.transport.keys import READINESS, Readiness
from gameserver.transport.socket.memory import MemoryLimits
from gameserver.transport.socket.places import SocketLimits
from gameserver.transport.socket.player_socket import PlayerSocket
from gameserver.transport.socket.sockets import SOCKETS, Sockets
from gameserver.waiting import cancel_and_wait
from tests.support.client import Api
from tests.support.nodes import start_node
from tests.support.repository import ROOT
from tests.support.wait import wait_until


async def test_during_its_notice_a_node_is_not_ready_and_serves_on_without_keeping_connections(
    settings: Settings,
) -> None:
    settings = settings.model_copy(update={"node": settings.node.model_copy(update={"notice_seconds": 8})})
    stack = AsyncExitStack()
    node = await start_node(stack, settings)
    async with Api(node.url) as api:
        who = await api.sign_up()
        socket = await api.socket(who.token)
        before = await api.ask("GET", "/ready?leaving=404")
        assert (before.status, before.headers.get("Connection")) == (200, None)
        leaving = asyncio.create_task(stack.aclose())

        async def is_off() -> bool:
            return (await api.ask("GET", "/ready")).status == 503

        await wait_until(is_off, what="the node isn't ready")
        assert (await api.ask("GET", "/ready?leaving=404")).status == 404
        acted = await api.act(who, action="hunt")
        assert (acted.status, acted.headers["Connection"]) == (200, "close")
        assert "ok" in await socket.ask("read")
        node.stop.hurried.set()
        await leaving


@pytest.mark.parametrize(("notice", "noticed"), [(0.0, NOTICED_SECONDS), (20.0, 20.0)])
async def test_sockets_stay_for_a_drain_until_the_slowest_load_balancer_has_noticed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, notice: float, noticed: float
) -> None:
    built: list[float] = []

    def built_with(app: web.Application, seconds: float, noticed: float) -> Draining:
        built.append(noticed)
        return Draining(app, seconds, noticed)

    monkeypatch.setattr("gameserver.app.node.Draining", built_with)
    settings = settings.model_copy(update={"node": settings.node.model_copy(update={"notice_seconds": notice})})
    async with application.open_core(settings) as core:
        for work in application.background(core, application.build_app(core)):
            work.close()
    assert built == [noticed]


def test_haproxys_checks_are_over_before_a_drained_node_tells_its_sockets() -> None:
    text = (ROOT / "docker" / "haproxy.cfg").read_text("utf-8")
    (checks,) = re.findall(r"default-server check inter (\d+)s fall (\d+)", text)
    assert int(checks[0]) * int(checks[1]) < NOTICED_SECONDS


@contextmanager
def opened(sockets: Sockets) -> Iterator[PlayerSocket]:
    """A socket whose client hasn't said hello."""
    with sockets.places.take(None) as place:
        socket = PlayerSocket(place, sockets.memory)
        with sockets.registered(socket):
            yield socket


def no_sockets() -> Sockets:
    ended = ActionPacing(Pace(1, 1))
    return Sockets(8, BoardPages(), SocketLimits(100, 100, 100, ended), MemoryLimits(1000, 1000, 1000))


async def test_a_node_that_takes_new_work_again_sends_nobody_away_any_more() -> None:
    app, sockets = web.Application(), no_sockets()
    app[READINESS], app[SOCKETS] = Readiness(ready=True), sockets
    draining = Draining(app, seconds=1000, noticed=0)
    running = asyncio.create_task(draining.run())
    with opened(sockets) as socket:
        before = asyncio.all_tasks()
        for _ in range(2):
            draining.obey(drain=True)
            await wait_until(lambda: asyncio.all_tasks() - before, what="the socket is being sent away")
            draining.obey(drain=False)
            await wait_until(lambda: asyncio.all_tasks() == before, what="nobody is sent away any more")
        # Both orders before it looks: nothing is left to be done.
        draining.obey(drain=True)
        draining.obey(drain=False)
        for _ in range(5):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        assert not socket.channel.closing
    assert not running.done()
    await cancel_and_wait([running])


@pytest.mark.parametrize(("noticed", "told"), [(0, ["going_away"]), (1000, [])])
async def test_a_node_that_drains_tells_its_sockets_once_load_balancers_have_noticed(
    noticed: float, told: list[str]
) -> None:
    app, sockets = web.Application(), no_sockets()
    app[READINESS], app[SOCKETS] = Readiness(ready=True), sockets
    draining = Draining(app, seconds=1000, noticed=noticed)
    running = asyncio.create_task(draining.run())
    with opened(sockets) as socket:
        await asyncio.sleep(0)
        before = asyncio.all_tasks()
        draining.obey(drain=True)
        assert not app[READINESS].ready
        await wait_until(lambda: asyncio.all_tasks() - before, what="it begins to drain")
        for _ in range(5):
            await asyncio.sleep(0)
        assert socket._held_back is not None
        assert [kind for kind, _ in socket._held_back.pushes] == told
        draining.obey(drain=False)
        await wait_until(lambda: asyncio.all_tasks() == before, what="nobody is sent away any more")
    await cancel_and_wait([running])


async def test_a_socket_that_has_left_is_held_for_nothing_any_more() -> None:
    sockets = no_sockets()
    answering = asyncio.create_task(asyncio.sleep(0, "ok"))
    with opened(sockets) as socket:
        socket.requests[answering] = 7
        socket.note_held()
        assert sockets.memory.total == 7
    socket.note_held()
    assert sockets.memory.total == 0
    await answering


async def test_only_sockets_that_were_told_to_go_are_closed_when_the_time_is_up() -> None:
    sockets = no_sockets()
    with opened(sockets) as told:
        leaving = asyncio.create_task(sockets.go_away(0))
        await asyncio.sleep(0)
        with opened(sockets) as later:
            await leaving
            assert (told.channel.closing, later.channel.closing) == (True, False)
            await told.channel.wait_closed()
