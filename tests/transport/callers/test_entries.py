"""What is looked up in lists is paid by its length: a read of a hundred players isn't one read."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gameserver.config.limits import LimitSettings, PerSecond
from gameserver.config.settings import Settings
from tests.support.client import Api
from tests.support.nodes import start_node
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem

KEY = "a-key-of-a-back-end-of-32-characters"
ENTRIES, READS = 30, 4
FEW = {
    "entries_per_address": PerSecond(per_second=0.001, burst=ENTRIES),
    "reads_per_player": PerSecond(per_second=0.001, burst=READS),
}


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """A node that believes the tests' X-Forwarded-For, so that one node has many addresses."""
    changes = {
        "limits": LimitSettings(**FEW),
        "node": settings.node.model_copy(update={"trusted_proxies": ("127.0.0.1/32",)}),
        "backend": type(settings.backend)(keys={"shop": KEY}),
    }
    checked = Settings.model_validate(settings.model_copy(update=changes).model_dump())
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(Api((await start_node(stack, checked)).url))


async def test_lists_of_players_and_places_on_boards_count_by_their_length(api: Api) -> None:
    who = await api.sign_up("mage")

    async def is_on_board() -> bool:
        answer = await api.ask("GET", "/v1/boards/exp/around/me", token=who.token, X_Backend_Key=KEY)
        return answer.status == 200

    await wait_until(is_on_board, what="the player is on the board")
    ids = ",".join(str(int(who.id) + number) for number in range(20))
    for number, path in enumerate(
        (f"boards/exp/ranks?ids={ids}", f"boards/exp/around/{who.id}?radius=10", f"players?ids={ids}")
    ):
        asked: Any = {"token": who.token, "X_Forwarded_For": f"198.51.100.{number}"}
        assert (await api.ask("GET", f"/v1/{path}", **asked)).status == 200
        assert_problem(await api.ask("GET", f"/v1/{path}", **asked), "rate_limited")
        assert (await api.ask("GET", "/v1/players/me", **asked)).status == 200
        assert (await api.ask("GET", f"/v1/{path}", X_Backend_Key=KEY, **asked)).status == 200

    # Pages of a board that the node has no copy of, and the same over a socket, whose address is the proxy's.
    asked = {"X_Forwarded_For": "198.51.100.9"}
    assert [(await api.ask("GET", f"/v1/boards/exp?limit={limit}", **asked)).status for limit in (28, 29)] == [200, 429]
    socket = await api.socket(who.token)
    assert "ok" in await socket.ask("around", board="exp", radius=10)
    for asking in ({"op": "around", "radius": 10}, {"op": "board", "limit": 27}):
        fields: Any = {"board": "exp", **asking}
        error = (await socket.ask(**fields))["error"]
        assert (error["code"], error["retry_after"] > 0) == ("rate_limited", True)
    assert "ok" in await socket.ask("read")


async def test_a_page_of_what_is_a_players_own_counts_by_the_rows_that_were_asked_for(api: Api) -> None:
    who, other = await api.sign_up(), await api.sign_up()
    assert (await api.ask("GET", "/v1/players/me/ledger?limit=200", token=who.token)).status == 200
    assert_problem(await api.ask("GET", "/v1/players/me/items", token=who.token), "rate_limited")
    assert (await api.ask("GET", "/v1/players/me/friends", token=other.token)).status == 200
    assert_problem(await api.ask("GET", "/v1/players/me/inbox?limit=1", token=other.token), "rate_limited")
