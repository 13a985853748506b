"""A player's feed: what it did last, complete and in order, whatever Redis loses or hasn't heard."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from gameserver.config.settings import Settings
from gameserver.storage.social.feeds import LENGTH
from tests.support.client import Api, Signed, command_id
from tests.support.deployment import connected
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, on_another_port


async def feed(api: Api, who: Signed, limit: int = LENGTH) -> list[dict[str, Any]]:
    answer = await api.ask("GET", f"/v1/players/me/feed?limit={limit}", token=who.token)
    assert answer.status == 200, answer.body
    return list(answer.body["entries"])


async def act(api: Api, who: Signed, times: int, **more: Any) -> None:
    for _ in range(times):
        assert (await api.act(who, **more)).status == 200


async def assert_whole(api: Api, who: Signed) -> list[dict[str, Any]]:
    """The feed is what the ledger says, down to the first version or the cap."""
    answer = await feed(api, who)
    me = (await api.ask("GET", "/v1/players/me", token=who.token)).body
    newest = me["version"]
    assert [entry["version"] for entry in answer] == list(range(newest, max(0, newest - LENGTH), -1))
    ledger = (await api.ask("GET", "/v1/players/me/ledger?limit=200", token=who.token)).body["entries"]
    by_id = {entry["command_id"]: entry for entry in ledger}
    for entry in answer:
        known = by_id[entry["command_id"]]
        assert {name: known[name] for name in entry} == entry
    return answer


async def length_in_redis(node: InProcessNode, who: Signed) -> int:
    result: Any = node.core.redis.commands.llen(f"gs:feed:{{{who.id}}}:json")
    return int(await result)


async def test_a_feed_has_what_was_done_newest_first(api: Api) -> None:
    who = await api.sign_up()
    assert [entry["action"] for entry in await assert_whole(api, who)] == ["sign_up"]
    await act(api, who, 3)
    assert [entry["action"] for entry in await assert_whole(api, who)] == ["hunt"] * 3 + ["sign_up"]
    assert await feed(api, who, 2) == (await feed(api, who))[:2]


async def test_a_feed_that_is_looked_at_is_kept_up_and_capped(api: Api, node: InProcessNode) -> None:
    who, unread = await api.sign_up(), await api.sign_up()
    assert len(await feed(api, who)) == 1
    await act(api, who, LENGTH + 5)
    await act(api, unread, 1)

    async def is_kept_up() -> bool:
        head: Any = await node.core.redis.commands.lindex(f"gs:feed:{{{who.id}}}:json", 0)
        return int(head.split()[0]) == LENGTH + 6

    await wait_until(is_kept_up, what="the list has what was done")
    assert await length_in_redis(node, who) == LENGTH
    assert await length_in_redis(node, unread) == 0
    assert len(await assert_whole(api, who)) == LENGTH


async def test_what_another_node_did_and_what_redis_lost_is_in_the_feed(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        nodes = [await start_node(stack, node_settings) for node_settings in (settings, on_another_port(settings))]
        here, there = [await stack.enter_async_context(Api(node.url)) for node in nodes]
        who = await here.sign_up()
        await assert_whole(here, who)
        await act(there, who, 2)
        assert len(await assert_whole(here, who)) == 3
        await act(there, who, 1)
        await act(here, who, 1)  # this node's entry finds a gap
        assert len(await assert_whole(there, who)) == 5
        await nodes[0].core.redis.commands.delete(f"gs:feed:{{{who.id}}}:json")
        assert len(await assert_whole(here, who)) == 5


async def test_commands_with_old_ids_stand_in_the_order_in_which_they_took_effect(api: Api) -> None:
    who = await api.sign_up()
    await act(api, who, 2 * LENGTH)
    for hours in (40, 30, 20):
        await act(api, who, 1, key=command_id(hours * 3600))
    answer = await assert_whole(api, who)
    assert len(answer) == LENGTH


REFUSED = """
insert into ledger (slot, player_id, command_id, action, args, seed, outcome, version, at)
select slot, player_id, (left($2, 19) || '8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'hunt', '{}', -1, outcome, 1, at
from ledger, generate_series(1, 1000) n where player_id = $1 and version = 1
"""


async def test_what_is_done_stands_above_what_lies_behind_refused_commands(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up()
    for database in node.core.databases.names():
        async with connected(node.core.databases[database].url) as connection:
            await connection.execute(REFUSED, int(who.id), command_id())
    assert await feed(api, who) == []
    for times in (1, 2, 3):
        await act(api, who, 1)
        for limit in (1, 2, LENGTH):
            assert [entry["action"] for entry in await feed(api, who, limit)] == ["hunt"] * min(limit, times)


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=51", "limit=1000000000", "limit=x", "cursor=1"])
async def test_an_invalid_limit_is_named(api: Api, query: str) -> None:
    who = await api.sign_up()
    assert_problem(await api.ask("GET", f"/v1/players/me/feed?{query}", token=who.token), "bad_input")
