"""A node that is stopping: it says so first, and goes on serving until load balancers have noticed."""

import asyncio
from contextlib import AsyncExitStack

from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.support.nodes import start_node
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
