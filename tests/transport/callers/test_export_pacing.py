"""A player's export is paced as its reads are: what is long takes its time, and not the node's."""

from contextlib import AsyncExitStack

import aiohttp
import pytest

from gameserver.commands import export_places
from gameserver.config.limits import PerMinute, PerSecond
from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.support.nodes import start_node

EXPORT = "/v1/players/me/export"
BURST, PARTS = 20, 4
"""An export has more parts than that: the player, its devices, its places and its history."""


def paced(settings: Settings, **paces: PerSecond | PerMinute) -> Settings:
    return settings.model_copy(update={"limits": settings.limits.model_copy(update=paces)})


async def test_an_export_and_each_page_of_it_counts(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        one = PerMinute(per_minute=0.001, burst=1)
        reads = PerSecond(per_second=0.001, burst=BURST)
        node = await start_node(stack, paced(settings, reads_per_player=reads, exports_per_player=one))
        api = await stack.enter_async_context(Api(node.url))
        who, other = await api.sign_up(), await api.sign_up()
        assert (await api.ask("GET", EXPORT, token=who.token)).status == 200
        assert (await api.ask("GET", EXPORT, token=who.token)).code == "rate_limited"
        left = 0
        while (await api.ask("GET", "/v1/players/me/items", token=who.token)).status == 200:
            left += 1
        assert 0 < left <= BURST - PARTS
        assert (await api.ask("GET", "/v1/players/me/items", token=other.token)).status == 200


async def test_exports_of_an_address_are_counted_together(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncExitStack() as stack:
        strict = settings.model_copy(update={"limits": settings.limits.model_copy(update={"exempt": ()})})
        api = await stack.enter_async_context(Api((await start_node(stack, strict)).url))
        who = await api.sign_up()
        assert (await api.ask("GET", EXPORT, token=who.token)).status == 200
        monkeypatch.setattr(export_places, "PER_ADDRESS", 0)
        assert (await api.ask("GET", EXPORT, token=who.token)).code == "rate_limited"


async def test_an_export_waits_for_its_next_page_and_breaks_off_where_that_takes_too_long(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        node = await start_node(stack, paced(settings, reads_per_player=PerSecond(per_second=20, burst=1)))
        api = await stack.enter_async_context(Api(node.url))
        answer = await api.ask("GET", EXPORT, token=(await api.sign_up()).token)
        assert (answer.status, b'"part":"ledger"' in answer.body) == (200, True)
    async with AsyncExitStack() as stack:
        node = await start_node(stack, paced(settings, reads_per_player=PerSecond(per_second=0.001, burst=2)))
        api = await stack.enter_async_context(Api(node.url))
        token = (await api.sign_up()).token
        with pytest.raises(aiohttp.ClientError):
            await api.ask("GET", EXPORT, token=token)
        assert (await api.ask("GET", "/v1/players/me", token=token)).status == 200


async def test_an_export_breaks_off_as_its_session_ends(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        node = await start_node(stack, paced(settings, reads_per_player=PerSecond(per_second=2, burst=2)))
        api = await stack.enter_async_context(Api(node.url))
        token = (await api.sign_up()).token
        client = await stack.enter_async_context(aiohttp.ClientSession(node.url))
        async with client.get(EXPORT, headers={"Authorization": f"Bearer {token}"}) as begun:
            assert begun.status == 200
            assert (await api.ask("DELETE", "/v1/sessions/current", token=token)).status == 204
            with pytest.raises(aiohttp.ClientError):
                await begun.read()
