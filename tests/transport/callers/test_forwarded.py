"""The header of a trusted proxy at a node's door: read as proxies write it, and named once in the log otherwise."""

from contextlib import AsyncExitStack

from structlog.testing import capture_logs

from gameserver.config.limits import LimitSettings, PerMinute
from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.support.nodes import start_node

EVENT = "a trusted proxy's X-Forwarded-For can't be read: its clients count as one for the limits"


async def test_clients_with_ports_count_alone_and_what_cant_be_read_is_logged_once(settings: Settings) -> None:
    one = LimitSettings(sign_ins_per_address=PerMinute(per_minute=0.01, burst=1))
    node = settings.node.model_copy(update={"trusted_proxies": LimitSettings(exempt=("127.0.0.0/8",)).exempt})
    behind = settings.model_copy(update={"node": node, "limits": one})

    async with AsyncExitStack() as stack:
        started = await start_node(stack, behind)
        api = await stack.enter_async_context(Api(started.url))

        async def sign_in(forwarded: str) -> int:
            body = {"device": "nobodys-device"}
            return (await api.ask("POST", "/v1/sessions", body=body, X_Forwarded_For=forwarded)).status

        with capture_logs() as lines:
            clients = [f"198.51.100.{number}:50123" for number in range(26)]
            assert [await sign_in(each) for each in clients] == [401] * 26
            assert [await sign_in(each.replace("50123", "50124")) for each in clients] == [429] * 26
            assert [await sign_in(f"[2001:db8::{number}]:443") for number in (1, 2)] == [401, 429], "one /64"
            assert [await sign_in(element) for element in ("unknown", "_hidden")] == [401, 429], "the proxy's own"
        warnings = [line for line in lines if line["event"] == EVENT]
        assert [(line["log_level"], line["address"], line["element"]) for line in warnings] == [
            ("warning", "127.0.0.1", "unknown")
        ]
