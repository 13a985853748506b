"""Strangers who guess a player's password are limited, and keep the player from nothing, at the defaults."""

from contextlib import AsyncExitStack
from ipaddress import ip_network

from gameserver.config.limits import LimitSettings, PerMinute
from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.support.nodes import start_node

SLOW = PerMinute(per_minute=1, burst=60)
"""So slow that no try becomes free while the test runs."""


async def test_guessing_keeps_no_player_out(settings: Settings) -> None:
    node = settings.node.model_copy(update={"trusted_proxies": (ip_network("127.0.0.1/32"),)})
    async with AsyncExitStack() as stack:
        own = settings.model_copy(update={"node": node, "limits": LimitSettings(sign_ins_per_name=SLOW)})
        api = await stack.enter_async_context(Api((await start_node(stack, own)).url))
        home, new, password = "198.51.100.7", "198.51.100.8", "the password of Ann"
        body = {"name": "Ann Lee", "class": "mage", "password": password}
        assert (await api.ask("POST", "/v1/players", body=body, X_Forwarded_For=home)).status == 201

        async def enter(address: str, password: str) -> int:
            body = {"name": "Ann Lee", "password": password}
            return (await api.ask("POST", "/v1/sessions", body=body, X_Forwarded_For=address)).status

        guesses = [await enter("203.0.113.66", f"guess number {number}") for number in range(60)]
        assert set(guesses) == {401, 429}
        assert guesses.count(401) <= 12
        assert await enter(new, password) == 201, "also at an address that the player never used"
        many = [await enter(f"203.0.113.{number}", "another guess") for number in range(100)]
        assert many.count(401) <= 60
        assert many[-1] == 429
        assert [await enter(address, password) for address in (home, new)] == [201, 201]
        assert await enter("198.51.100.9", password) == 429
