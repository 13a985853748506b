"""Operators drain a node over HTTP, through any node, and let it take new work again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import WSMsgType

from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.support.nodes import start_node
from tests.support.wait import wait_until
from tests.transport.http.test_every_write import both_sides

pytestmark = pytest.mark.own_node


@pytest.fixture
async def two(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Api, Api]]:
    """Clients of two nodes, called `a` and `b`, which no load balancer has to notice."""
    monkeypatch.setattr("gameserver.app.node.NOTICED_SECONDS", 0)
    async with AsyncExitStack() as stack:
        clients = []
        for name in ("a", "b"):
            node = settings.node.model_copy(update={"name": name, "port": free_port(), "drain_seconds": 1})
            started = await start_node(stack, settings.model_copy(update={"node": node}))
            clients.append(await stack.enter_async_context(Api(started.url)))
        one, other = clients
        await wait_until(lambda: both_serve(one), what="both nodes have told that they take new work")
        yield one, other


async def both_serve(api: Api) -> bool:
    nodes = (await api.admin("fleet")).body["nodes"]
    return [node["figures"].get("draining") for node in nodes] == [False, False]


async def order(api: Api, node: str, key: str, method: str = "POST", query: str = "", **body: Any) -> Answer:
    path = f"/admin/v1/nodes/{node}/drain{query}"
    return await api.ask(method, path, token=ADMIN_KEY, key=key, body=body or None)


async def is_ready(api: Api) -> bool:
    return (await api.ask("GET", "/ready")).status == 200


async def test_a_node_drains_and_takes_new_work_again(two: tuple[Api, Api]) -> None:
    one, other = two
    who, key = await other.sign_up(), command_id()
    connection = (await other.socket(who.token)).connection
    await wait_until(lambda: connected(one), what="the player is seen on b")
    previewed = await order(one, "b", key, query="?preview=true", reason="a test")
    assert (previewed.status, previewed.body["players"], previewed.body["sockets"]) == (200, 1, 1), previewed.body
    assert previewed.body["ordered"] is False
    assert await is_ready(other)

    # Through the other node; sent again it is one order.
    for _ in range(2):
        ordered = await order(one, "b", key, reason="a test")
        assert ordered.status == 200, ordered.body
        assert ordered.body["ordered"]
    kinds = []
    while (message := await connection.receive(timeout=10)).type is WSMsgType.TEXT:
        kinds.append(message.json().get("push"))
    assert "going_away" in kinds
    assert connection.close_code == 1001

    async def has_left() -> bool:
        return not await is_ready(other)

    await wait_until(has_left, what="b isn't ready")
    assert await is_ready(one)
    # What reaches it nevertheless is answered.
    assert (await other.act(who, "rest")).status in (200, 409)

    async def is_seen() -> bool:
        nodes = {node["name"]: node["figures"].get("draining") for node in (await one.admin("fleet")).body["nodes"]}
        return nodes == {"a": False, "b": True}

    await wait_until(is_seen, what="the fleet shows that b drains")
    refused = await order(other, "a", command_id(), reason="a test")
    assert (refused.status, refused.code) == (409, "conflict")
    foreseen = await order(other, "a", command_id(), query="?preview=true", reason="a test")
    assert (foreseen.status, foreseen.body["detail"]) == (409, refused.body["detail"])
    assert await is_ready(one)

    resumed = await order(one, "b", command_id(), "DELETE", "?reason=a%20test")
    assert resumed.status == 200, resumed.body
    await wait_until(lambda: is_ready(other), what="b takes new work")
    await (await other.socket(who.token)).ask("ping")
    entries = (await one.admin("audit")).body["entries"]
    assert [(entry["action"], entry["target"], entry["ended"]) for entry in entries] == [
        ("node_resume", "b", "done"), ("node_drain", "a", "conflict"), ("node_drain", "b", "done")
    ]  # fmt: skip
    sides = [(entry["before"]["draining"], (entry["after"] or {}).get("draining")) for entry in entries]
    assert sides == [(True, False), (False, None), (False, True)]
    for entry in (entries[0], entries[2]):
        both_sides(entry)


async def test_two_orders_at_once_dont_drain_the_last_two_nodes(two: tuple[Api, Api]) -> None:
    one, other = two
    orders = [order(api, node, command_id(), reason="a test") for api, node in ((one, "a"), (other, "b"), (one, "b"))]
    answers = await asyncio.gather(*orders)
    drained = {answer.body["name"] for answer in answers if answer.status == 200}
    assert len(drained) == 1, [answer.body for answer in answers]
    assert {answer.code for answer in answers if answer.status != 200} == {"conflict"}
    (node,) = drained
    drains, stays = (one, other) if node == "a" else (other, one)

    async def has_left() -> bool:
        return not await is_ready(drains)

    await wait_until(has_left, what="the one node drains")
    assert await is_ready(stays)
    # A node that was told to take new work counts from then on, before it has heard of it.
    assert (await order(stays, node, command_id(), "DELETE", "?reason=a%20test")).status == 200
    assert (await order(drains, "ab".replace(node, ""), command_id(), reason="a test")).status == 200
    assert (await order(drains, node, command_id(), reason="a test")).status == 409
    await wait_until(lambda: is_ready(drains), what="it takes new work again")


async def connected(api: Api) -> bool:
    return any(node["sockets"] == 1 for node in (await api.admin("fleet")).body["nodes"])


async def test_what_is_not_there_cannot_be_drained(api: Api) -> None:
    assert (await order(api, "nobody", command_id(), reason="a test")).code == "not_found"
    assert (await order(api, "nobody", command_id())).status in (415, 422)
