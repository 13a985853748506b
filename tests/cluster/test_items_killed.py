"""A node is killed while players use items of another database: each command takes and grants once."""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientError

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.storage.items.deployment import assert_sums, ledger_sum, part, with_studio
from tests.support.client import Answer, Api, Signed, command_id
from tests.support.deployment import working
from tests.support.nodes import node_process
from tests.support.servers import roomy
from tests.support.wait import wait_until

PLAYERS = 6
ROUNDS: tuple[tuple[str, dict[str, object]], ...] = (
    ("find", {"item": "herb", "count": 3}),
    ("brew", {}),
    ("burn", {"item": "potion"}),
    ("burn", {"item": "herb"}),
)


@pytest.fixture
async def apart(settings: Settings, tmp_path: Path) -> Settings:
    await part(settings)
    return with_studio(settings, tmp_path)


@pytest.fixture
async def core(apart: Settings) -> AsyncIterator[Core]:
    async with working(apart) as opened:
        yield opened


@pytest.fixture
async def nodes(apart: Settings) -> AsyncIterator[list[NodeProcess]]:
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        both = [node_process(apart, Path(folder), f"node-{number}") for number in (1, 2)]
        await asyncio.gather(*(node.start() for node in both))
        yield both
        for node in both:
            node.kill()


async def insist(apis: list[Api], player: Signed, action: str, args: dict[str, object]) -> Answer:
    """Asks the nodes in turn under one command id until there is a final answer."""
    key = command_id()
    for api in itertools.cycle(apis):
        try:
            answer = await api.act(player, action, key, **args)
        except (ClientError, TimeoutError):
            await asyncio.sleep(0.05)
            continue
        if answer.status != 503:
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("never")


async def test_a_killed_node_takes_and_grants_nothing_twice_and_nothing_for_nothing(
    core: Core, nodes: list[NodeProcess]
) -> None:
    acknowledged = 0

    async def play(player: Signed, apis: list[Api]) -> None:
        nonlocal acknowledged
        while acknowledged < 40 * PLAYERS:
            for action, args in ROUNDS:
                answer = await insist(apis, player, action, dict(args))
                assert answer.status == 200, answer.body
                acknowledged += 1

    async with Api(nodes[0].address) as one, Api(nodes[1].address) as two:
        players = [await one.sign_up() for _ in range(PLAYERS)]
        playing = [
            asyncio.create_task(play(player, [one, two] if n % 2 else [two, one])) for n, player in enumerate(players)
        ]
        await wait_until(lambda: acknowledged > 10 * PLAYERS, what="everybody plays")
        nodes[0].kill()
        await wait_until(lambda: acknowledged > 20 * PLAYERS, what="everybody plays on")
        await nodes[0].start()
        await asyncio.gather(*playing)
        for player in players:
            answer = await two.ask("GET", "/v1/players/me/items", token=player.token)
            owned = {item["item"]: item["count"] for item in answer.body["items"] if item["count"]}
            assert owned == dict(await ledger_sum(core, int(player.id)))
            await assert_sums(core, int(player.id))
