"""Nodes that `up` didn't start, judged before they join HAProxy."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from gameserver.stack.errors import StackError
from gameserver.stack.fleet import joining
from gameserver.stack.processes.ports import free_port

Serve = Callable[[object], Awaitable[str]]
OURS = {"ready": True, "deployment": "ours"}
NOWHERE = "127.0.0.1:1"


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Answers `/ready` with what a node says that is asked for its deployment; returns the address."""
    async with AsyncExitStack() as stack:

        async def serving(said: object) -> str:
            async def ready(request: web.Request) -> web.Response:
                assert request.query == {"deployment": "show"}
                return web.json_response(said)

            app, port = web.Application(), free_port()
            app.router.add_get("/ready", ready)
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", port).start()
            return f"127.0.0.1:{port}"

        yield serving


async def test_a_node_of_the_same_deployment_joins_although_one_that_is_there_is_silent(serve: Serve) -> None:
    await joining.require_like(await serve(OURS), [NOWHERE, await serve({"ready": True}), await serve(OURS)])


@pytest.mark.parametrize(
    ("said", "there", "reason"),
    [
        (
            {"ready": True, "deployment": "theirs"},
            OURS,
            r"of another deployment \(theirs\) than the one at 127\S+ \(ours\)",
        ),
        ({"ready": True}, OURS, "doesn't say of which deployment it is"),
        ({"ready": True, "deployment": ""}, OURS, "doesn't say of which deployment it is"),
        (OURS, {"ready": True}, "No node that is there says of which deployment it is"),
        ({"ready": False}, OURS, "isn't a node that is ready"),
        ({"nodes": 2}, OURS, "that is HAProxy"),
    ],
)
async def test_a_node_that_isnt_known_to_be_of_this_deployment_is_refused(
    said: object, there: object, reason: str, serve: Serve
) -> None:
    with pytest.raises(StackError, match=reason):
        await joining.require_like(await serve(said), [NOWHERE, await serve(there)])
