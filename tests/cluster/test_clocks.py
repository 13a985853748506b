"""Nodes whose machines' clocks are off: they go by the control database's clock."""

import time
from contextlib import AsyncExitStack
from email.utils import formatdate, parsedate_to_datetime

import pytest
from aiohttp import web_response
from prometheus_client import REGISTRY
from pydantic import SecretStr

from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.storage.postgres import clocks
from gameserver.storage.postgres.clocks import NodeClock, difference
from gameserver.storage.postgres.databases import Databases
from gameserver.telemetry import CLOCK_DIFFERENCE
from tests.support.client import Api, command_id
from tests.support.nodes import start_node
from tests.support.wait import wait_until

OFF = (600.0, -600.0, 40 * 86400.0)


class Wall:
    """A machine's clock that can be set."""

    def __init__(self, off: float) -> None:
        self.off = off

    def __call__(self) -> float:
        return time.time() + self.off


@pytest.mark.parametrize("off", OFF)
async def test_a_node_whose_clock_is_off_accepts_commands_and_has_the_others_season(
    settings: Settings, off: float
) -> None:
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings, Wall(off))
        api = await stack.enter_async_context(Api(node.url))
        player = await api.sign_up()
        for key in (None, command_id()):
            answer = await api.act(player, key=key)
            assert answer.status == 200, answer.body
        calendar = node.core.rooms.seasons.calendar
        others = NodeClock(node.core.databases, "one")
        assert calendar.contests(node.core.rooms.clock.now()) == calendar.contests(others.now())
        assert abs(node.core.rooms.clock.seconds() - time.time()) < clocks.CLOSE_SECONDS
        measured = REGISTRY.get_sample_value("gameserver_clock_difference_seconds", {"database": "one"})
        assert measured == pytest.approx(-off, abs=clocks.CLOSE_SECONDS)


async def test_of_a_database_that_is_removed_or_away_no_clock_is_told(settings: Settings) -> None:
    def told(name: str) -> float | None:
        return REGISTRY.get_sample_value("gameserver_clock_difference_seconds", {"database": name})

    away = f"postgresql://nobody:word@127.0.0.1:{free_port()}/nothing"
    databases = Databases({**{name: settings.database_url(name) for name in ("one", "two")}, "away": SecretStr(away)})
    databases.assign({"control": ["one"], "players": ["one", "two", "away"]})
    try:
        CLOCK_DIFFERENCE.labels("away").set(7)
        clock = NodeClock(databases, "one")
        await clock.look()
        assert told("two") is not None
        assert told("away") is None
        databases.assign({"control": ["one"], "players": ["one"]})
        await clock.look()
        assert told("two") is None
        assert told("one") is not None
    finally:
        await databases.close()


async def test_every_answer_is_dated_by_the_clock_that_the_node_goes_by(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiohttp would date it by the machine's."""
    monkeypatch.setattr(web_response, "rfc822_formatted_time", lambda: formatdate(time.time() + 600, usegmt=True))
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings, Wall(600))
        api = await stack.enter_async_context(Api(node.url))
        player = await api.sign_up()
        answers = {
            "an action": (await api.act(player)).headers,
            "an error": (await api.ask("GET", "/v1/players/me")).headers,
            "no path": (await api.ask("GET", "/v1/nothing")).headers,
            "no content": (await api.ask("DELETE", f"/v1/players/me/friends/{player.id}1", token=player.token)).headers,
            "a file": (await api.ask("GET", "/console/")).headers,
            "an export": (await api.ask("GET", "/v1/players/me/export", token=player.token)).headers,
            "metrics": (await api.ask("GET", "/metrics")).headers,
            "a socket": (await api.raw_socket())._response.headers,
        }
        now = time.time()
        off = {what: now - parsedate_to_datetime(headers["Date"]).timestamp() for what, headers in answers.items()}
        assert {what: seconds for what, seconds in off.items() if not -2 < seconds < 60} == {}


async def test_a_clock_that_steps_while_the_node_runs_is_followed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "EVERY_SECONDS", 0.1)
    wall = Wall(0)
    async with AsyncExitStack() as stack:
        clock = (await start_node(stack, settings, wall)).core.rooms.clock
        for off in (900.0, -3600.0, 0.0):
            wall.off = off
            assert abs(clock.seconds() - time.time()) < 2 * clocks.CLOSE_SECONDS
            await wait_until(lambda off=off: abs(clock._offset + off) < 0.1, 20, "the step was measured")
            assert abs(clock.seconds() - time.time()) < 2 * clocks.CLOSE_SECONDS


async def test_a_clock_that_is_nearly_right_is_left_alone(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        core = (await start_node(stack, settings, Wall(0.3))).core
        assert core.rooms.clock.seconds() - time.time() == pytest.approx(0.3, abs=0.05)
        measured = await difference(core.databases["two"])
        assert abs(measured.seconds) <= measured.bound + 0.01
