"""An address whose sockets send too much is read more slowly; nobody else is, and none of its sockets is closed."""

import asyncio
import time
from contextlib import AsyncExitStack

import orjson
import pytest

from gameserver.config.limits import LimitSettings, PerSecond
from gameserver.config.settings import Settings
from gameserver.transport.socket import conversation
from tests.support.client import Api, Signed
from tests.support.nodes import start_node
from tests.transport.doors import closing_of

PROXY = LimitSettings(exempt=("127.0.0.1/32",)).exempt


async def seconds_of(api: Api, who: Signed, address: str, frames: int) -> float:
    """How long a socket of this client waits until all its frames are answered."""
    connection = await api.raw_socket(**{"X-Forwarded-For": address})
    await connection.send_json({"id": 0, "op": "hello", "token": who.token})
    assert "ok" in await connection.receive_json(timeout=10)
    began = time.monotonic()
    for number in range(frames):
        await connection.send_str(orjson.dumps({"id": number, "op": "ping"}).decode())
    answers = [await connection.receive_json(timeout=20) for _ in range(frames)]
    assert all("ok" in answer for answer in answers)
    await connection.close()
    return time.monotonic() - began


async def test_frames_of_all_sockets_of_an_address_count_together_also_of_closed_ones(settings: Settings) -> None:
    limits = LimitSettings(frames_per_address=PerSecond(per_second=5, burst=40))
    node = settings.node.model_copy(update={"trusted_proxies": PROXY})
    async with AsyncExitStack() as stack:
        own = settings.model_copy(update={"node": node, "limits": limits})
        api = await stack.enter_async_context(Api((await start_node(stack, own)).url))
        who, other = await api.sign_up(), await api.sign_up()
        assert await seconds_of(api, who, "198.51.100.7", 30) < 3
        slow, quick = await asyncio.gather(
            seconds_of(api, who, "198.51.100.7", 30), seconds_of(api, other, "198.51.100.8", 30)
        )
        # 62 frames with their hellos, of which 40 and what became free meanwhile were answered at once.
        assert slow > 2
        assert quick < slow


async def test_a_hello_that_others_of_its_address_hold_up_is_told_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came in time, so nobody is told to sign in again."""
    limits = LimitSettings(frames_per_address=PerSecond(per_second=0.02, burst=2))
    async with AsyncExitStack() as stack:
        own = settings.model_copy(update={"limits": limits})
        api = await stack.enter_async_context(Api((await start_node(stack, own)).url))
        who = await api.sign_up()
        await (await api.socket(who.token)).ask("ping")
        monkeypatch.setattr(conversation, "HELLO_SECONDS", 1.0)
        connection = await api.raw_socket()
        await connection.send_json({"id": 1, "op": "hello", "token": who.token})
        (frame,), closed = await closing_of(connection)
        assert (frame["error"]["code"], closed) == ("rate_limited", 4429)
        assert frame["error"]["retry_after"] > 0
