"""A network that tries passwords without end holds up neither a player elsewhere nor what needs no password."""

import asyncio
import itertools
from contextlib import AsyncExitStack
from ipaddress import ip_network

from gameserver.config.limits import PerMinute
from gameserver.config.settings import Settings
from tests.support.client import Answer, Api
from tests.support.nodes import start_node

PASSWORD = "anns-own-password"
WIDE = PerMinute(per_minute=60_000, burst=10_000)
ROUNDS = 3


def hostile(settings: Settings) -> Settings:
    """Addresses are the clients' own, none is exempt, and only what waits for a hash is bounded."""
    node = settings.node.model_copy(update={"trusted_proxies": (ip_network("127.0.0.1/32"),)})
    limits = settings.limits.model_copy(update={"exempt": (), "sign_ins_per_address": WIDE})
    passwords = settings.passwords.model_copy(update={"waiting_per_network": 8, "deadline_seconds": 30.0})
    return settings.model_copy(update={"node": node, "limits": limits, "passwords": passwords})


async def enter(api: Api, address: str, **credentials: str) -> Answer:
    return await api.ask("POST", "/v1/sessions", body=credentials, X_Forwarded_For=address)


async def test_the_owner_signs_in_while_one_network_floods(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api((await start_node(stack, hostile(settings))).url))
        ann = await api.sign_up(password=PASSWORD)
        refused, guessed = list[Answer](), list[Answer]()
        numbers = itertools.count()

        async def flood() -> None:
            while True:
                number = next(numbers)
                answer = await enter(api, f"203.0.113.{number % 250}", name=f"Nobody {number}", password="a-guess")
                (guessed if answer.status == 401 else refused).append(answer)

        floods = [asyncio.create_task(flood()) for _ in range(16)]
        try:
            for number in range(ROUNDS):
                by_password = await enter(api, f"198.51.100.{number}", name=ann.name, password=PASSWORD)
                assert by_password.status == 201, by_password.body
                assert (await enter(api, f"198.51.100.{number}", device=ann.device)).status == 201
                assert (await api.act(ann)).status == 200
        finally:
            for task in floods:
                task.cancel()
            await asyncio.gather(*floods, return_exceptions=True)
    assert guessed, "the flood has turns of its own"
    assert refused
    assert {(answer.status, answer.code) for answer in refused} == {(503, "overloaded")}
    assert all("Retry-After" in answer.headers for answer in refused)
