"""What a player's limit refuses costs the servers nothing: neither Redis nor a database is asked."""

import asyncio
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from gameserver.config.limits import PerSecond
from gameserver.config.settings import Settings
from tests.support.client import Api, Signed
from tests.support.freezing import frozen
from tests.support.nodes import start_node
from tests.support.servers import Servers
from tests.transport.samples import HUNT

BURST, BEYOND = 3, 50
PATIENCE_SECONDS = 10
"""Far less than what an act waits for a silent database, times the number of refusals."""


async def test_refused_actions_ask_neither_redis_nor_a_database(settings: Settings, servers: Servers) -> None:
    pace = PerSecond(per_second=0.001, burst=BURST)
    limits = settings.limits.model_copy(update={"actions_per_player": pace})
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings.model_copy(update={"limits": limits}))
        api = await stack.enter_async_context(Api(node.url))
        who, other = await api.sign_up(), await api.sign_up()
        socket = await api.socket(who.token)
        assert [(await api.act(who)).status for _ in range(BURST)] == [200] * BURST
        with ExitStack() as servers_stop:
            for server in (*servers.postgres.values(), servers.redis):
                servers_stop.enter_context(frozen(server))
            async with asyncio.timeout(PATIENCE_SECONDS):
                for order in (HUNT, {"action": "duel", "args": {"player": other.id}}):
                    assert {await _over_http(api, who, order) for _ in range(BEYOND)} == {(429, True)}
                    errors = [(await socket.ask("act", **order))["error"] for _ in range(BEYOND)]
                    assert {error["code"] for error in errors} == {"rate_limited"}
                    assert all(error["retry_after"] > 1 for error in errors)


async def _over_http(api: Api, who: Signed, order: dict[str, Any]) -> tuple[int, bool]:
    """The status, and whether the answer says for how long to wait."""
    answer = await api.ask("POST", "/v1/players/me/actions", token=who.token, body=order)
    return answer.status, int(answer.headers.get("Retry-After", "0")) > 1
