"""One command id has one final answer, also when its first sending lies unread in a frozen node."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from gameserver.storage.ids import slot_of
from tests.support.client import Answer, Api, Signed, Socket, command_id
from tests.support.deployment import connected, ledger, present
from tests.support.nodes import node_process
from tests.support.servers import roomy

ARRIVAL_SECONDS = 0.2
"""How long a request takes, at the most, from a client on this machine into a node's connection."""
REFUSALS = "select count(*) from ledger where player_id = $1 and seed < 0"


class Nodes(NamedTuple):
    """Two nodes as processes, and a client of each."""

    first: NodeProcess
    frozen: Api
    other: Api

    def freeze(self) -> None:
        os.kill(self._pid(), signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self._pid(), signal.SIGCONT)

    def _pid(self) -> int:
        assert self.first.process.pid is not None
        return self.first.process.pid


@pytest.fixture
async def nodes(core: Core, settings: Settings) -> AsyncIterator[Nodes]:
    """Both nodes share the databases of `core`, which only looks on."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=roomy()))
        processes = [node_process(settings, Path(folder), f"node-{number}") for number in (1, 2)]
        for process in processes:
            await process.start()
            stack.callback(process.kill)
        frozen, other = [await stack.enter_async_context(Api(process.address)) for process in processes]
        yield Nodes(processes[0], frozen, other)


async def wound(core: Core, player: Signed) -> None:
    """What the rule refused a moment ago would succeed from now on."""
    async with connected(core.slots.owner("players", slot_of(int(player.id))).url) as connection:
        await connection.execute("update players set hp = 50 where id = $1", int(player.id))


async def assert_nothing_took_effect(core: Core, player: Signed, refusals: int) -> None:
    assert [row["action"] for row in await ledger(core, int(player.id))] == ["sign_up"]
    now = await present(core, int(player.id))
    assert (now.hp, now.version) == (50, 1)
    async with connected(core.slots.owner("players", slot_of(int(player.id))).url) as connection:
        assert await connection.fetchval(REFUSALS, int(player.id)) == refusals


async def test_a_refused_command_stays_refused_when_its_first_sending_wakes_over_http(core: Core, nodes: Nodes) -> None:
    player, key = await nodes.other.sign_up(), command_id()
    assert (await nodes.frozen.ask("GET", "/v1/players/me", token=player.token)).status == 200
    nodes.freeze()
    first = asyncio.create_task(nodes.frozen.act(player, "rest", key))
    await asyncio.sleep(ARRIVAL_SECONDS)
    second = await nodes.other.act(player, "rest", key)
    await wound(core, player)
    nodes.wake()
    answers: list[Answer] = [await first, second, await nodes.other.act(player, "rest", key)]
    assert [(answer.status, answer.code) for answer in answers] == [(409, "full_hp")] * 3
    assert len({answer.body["detail"] for answer in answers}) == 1
    await assert_nothing_took_effect(core, player, refusals=1)
    history = await nodes.other.ask("GET", "/v1/players/me/ledger", token=player.token)
    assert [entry["action"] for entry in history.body["entries"]] == ["sign_up"]
    assert (await nodes.other.act(player, "rest", command_id())).status == 200


async def test_a_refused_command_stays_refused_when_its_first_sending_wakes_in_a_socket(
    core: Core, nodes: Nodes
) -> None:
    player, key = await nodes.other.sign_up(), command_id()
    socket: Socket = await nodes.frozen.socket(player.token)
    nodes.freeze()
    first = asyncio.create_task(socket.ask("act", action="rest", args={}, command_id=key))
    await asyncio.sleep(ARRIVAL_SECONDS)
    second = await nodes.other.act(player, "rest", key)
    await wound(core, player)
    nodes.wake()
    over_socket = await (await nodes.other.socket(player.token)).ask("act", action="rest", args={}, command_id=key)
    assert (second.status, second.code) == (409, "full_hp")
    assert [(await first)["error"]["code"], over_socket["error"]["code"]] == ["full_hp"] * 2
    await assert_nothing_took_effect(core, player, refusals=1)


async def test_a_refused_rename_stays_refused_when_the_name_becomes_free(core: Core, nodes: Nodes) -> None:
    holder, player, key = await nodes.other.sign_up(name="Held Name"), await nodes.other.sign_up(), command_id()
    body = {"name": "Held Name"}

    async def rename(api: Api) -> Answer:
        return await api.ask("POST", "/v1/players/me/name", token=player.token, body=body, key=key)

    assert (await nodes.frozen.ask("GET", "/v1/players/me", token=player.token)).status == 200
    nodes.freeze()
    first = asyncio.create_task(rename(nodes.frozen))
    await asyncio.sleep(ARRIVAL_SECONDS)
    second = await rename(nodes.other)
    freed = await nodes.other.ask(
        "POST", "/v1/players/me/name", token=holder.token, body={"name": "Other Name"}, key=command_id()
    )
    assert freed.status == 200
    nodes.wake()
    answers = [await first, second, await rename(nodes.other)]
    assert [(answer.status, answer.code) for answer in answers] == [(409, "name_taken")] * 3
    assert (await present(core, int(player.id))).name == player.name


async def test_a_refusal_of_a_command_that_cant_come_again_leaves_no_row(core: Core, nodes: Nodes) -> None:
    player = await nodes.other.sign_up()
    assert (await nodes.other.act(player, "rest")).code == "full_hp"
    await wound(core, player)
    await assert_nothing_took_effect(core, player, refusals=0)


async def test_a_refused_command_id_with_another_body_is_a_mismatch(nodes: Nodes) -> None:
    player, key = await nodes.other.sign_up(), command_id()
    assert (await nodes.other.act(player, "rest", key)).code == "full_hp"
    assert (await nodes.other.act(player, "hunt", key)).code == "command_mismatch"
