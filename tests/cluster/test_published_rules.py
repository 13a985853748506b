"""Rules that are published while players play: every row is made by those in force at its time."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, command_id
from tests.support.deployment import connected
from tests.support.devices import device_of
from tests.support.nodes import node_process
from tests.support.servers import GAME, roomy
from tests.support.wait import wait_until

TEXT = GAME.read_text("utf-8")
EASIER = TEXT.replace("exp = 5\n", "exp = 6\n")
ROWS = "select at, rules, action from ledger where rules is not null order by at"
PLAYERS = 6


@dataclass
class Nodes:
    """Two processes over two databases."""

    processes: Sequence[NodeProcess]
    apis: Sequence[Api]


@pytest.fixture
async def nodes(settings: Settings) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=roomy())))
        processes = [node_process(settings, folder, f"node-{number}") for number in (1, 2)]
        for process in processes:
            stack.callback(process.kill)
        await asyncio.gather(*(process.start() for process in processes))
        yield Nodes(processes, [await stack.enter_async_context(Api(process.address)) for process in processes])


async def ask(api: Api, path: str, **body: Any) -> Answer:
    fields = {"reason": "a test", **body}
    return await api.ask("POST", f"/admin/v1/rules{path}", token=ADMIN_KEY, body=fields, key=command_id())


async def published(api: Api, path: str = "", **body: Any) -> tuple[datetime, int]:
    """The moment and the rulebook of an order."""
    answer = await ask(api, path, **{"in_seconds": 5, **body})
    assert answer.status == 200, answer.body
    order = answer.body["order"]
    return datetime.fromisoformat(order["at"]), order["rulebook"]


async def rules(api: Api) -> dict[str, Any]:
    answer = await api.ask("GET", "/admin/v1/rules", token=ADMIN_KEY)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.body
    return found


@asynccontextmanager
async def playing(nodes: Nodes, statuses: list[int]) -> AsyncIterator[None]:
    """Players act on both nodes, and others sign up, as fast as they are answered."""
    tasks = []
    for api in nodes.apis:
        for _ in range(PLAYERS):
            tasks.append(asyncio.create_task(_play(api, await api.sign_up(), statuses)))
        tasks.append(asyncio.create_task(_sign_up(api, statuses)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _play(api: Api, player: Signed, statuses: list[int]) -> None:
    while True:
        with contextlib.suppress(ClientError):
            for action in ("hunt", "rest", "revive"):
                statuses.append((await api.act(player, action, command_id())).status)


async def _sign_up(api: Api, statuses: list[int]) -> None:
    while True:
        with contextlib.suppress(ClientError, AssertionError):
            await api.sign_up()
            statuses.append(201)


async def rows(core: Core) -> dict[str, list[tuple[datetime, int, str]]]:
    """Time, rulebook and action of each row that a rule made, by database."""
    found = {}
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            found[database.name] = [tuple(row) for row in await connection.fetch(ROWS)]
    return found


def assert_by_time(
    found: dict[str, list[tuple[datetime, int, str]]], first: int, *switches: tuple[datetime, int]
) -> None:
    """Each row in each database was made by the rulebook that was in force at its time, and each made some."""
    assert len(found) == 2
    for database, its_rows in found.items():
        for at, number, action in its_rows:
            expected = [first, *(rulebook for moment, rulebook in switches if moment <= at)][-1]
            assert number == expected, f"{action} at {at} on {database}: by {number}, but {expected} was in force"
        for begun, rulebook in (*switches,):
            assert any(at >= begun and number == rulebook for at, number, _ in its_rows), (database, rulebook)
        assert any(number == first for _, number, _ in its_rows)


async def passed(core: Core, moment: datetime) -> None:
    await wait_until(lambda: core.rooms.clock.now() > moment, 20, what="the moment passes")


async def test_every_row_is_made_by_the_rules_in_force_at_its_time_while_they_are_published_and_reverted(
    core: Core, nodes: Nodes
) -> None:
    statuses: list[int] = []
    first = (await rules(nodes.apis[0]))["rulebook"]
    async with playing(nodes, statuses):
        there = await published(nodes.apis[0], game=EASIER)
        await passed(core, there[0])
        for api in nodes.apis:
            await wait_until(lambda api=api: is_in_force(api, 1), what="the node has switched")
        back = await published(nodes.apis[1], "/revert")
        assert back[1] == first
        await passed(core, back[0])
        await asyncio.sleep(0.5)
    assert_by_time(await rows(core), first, there, back)
    assert max(statuses) < 500, sorted(set(statuses))


async def is_in_force(api: Api, edition: int) -> bool:
    return bool((await rules(api))["edition"] == edition)


async def test_a_node_that_is_frozen_over_the_moment_writes_nothing_by_the_old_rules_when_it_wakes(
    core: Core, nodes: Nodes
) -> None:
    awake, sleeper = nodes.apis
    first = (await rules(awake))["rulebook"]
    players = [await sleeper.sign_up() for _ in range(20)]
    pid = nodes.processes[1].process.pid
    assert pid is not None
    async with playing(Nodes(nodes.processes[:1], [awake]), []):
        os.kill(pid, signal.SIGSTOP)
        there = await published(awake, game=EASIER)
        acting = [asyncio.create_task(sleeper.act(player, "hunt", command_id())) for player in players]
        births = [asyncio.create_task(sleeper.ask("POST", "/v1/players", body=_newcomer(n))) for n in range(5)]
        await passed(core, there[0])
        os.kill(pid, signal.SIGCONT)
        answers = await asyncio.gather(*acting, *births)
    assert {answer.status for answer in answers} <= {200, 201, 503}
    assert all(answer.body["code"] == "rules_changing" for answer in answers if answer.status == 503)
    await wait_until(lambda: is_in_force(sleeper, 1), what="the node that slept has switched")
    assert (await sleeper.act(players[0], "hunt")).status == 200
    assert_by_time(await rows(core), first, there)


def _newcomer(number: int) -> dict[str, str]:
    return {"name": f"Late {number}", "class": "warrior", "device": device_of(f"late-{number}")}


async def test_an_order_outlives_its_node_and_a_restart_with_the_old_file_goes_on_with_what_was_published(
    core: Core, nodes: Nodes
) -> None:
    first = (await rules(nodes.apis[0]))["rulebook"]
    async with playing(nodes, []):
        there = await published(nodes.apis[0], game=EASIER)
        nodes.processes[0].kill()
        await passed(core, there[0])
        await nodes.processes[0].start()
        async with Api(nodes.processes[0].address) as again:
            assert (await rules(again))["edition"] == 1
            assert (await again.act(await again.sign_up(), "hunt")).status == 200
    assert_by_time(await rows(core), first, there)
    assert "isn't the published rulebook" in nodes.processes[0].log.read_text()
