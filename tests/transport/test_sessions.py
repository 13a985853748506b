"""Sessions: listed, ended one by one or all at once, and over on every node and socket within a second."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest

from gameserver.config import SessionSettings, Settings
from tests.client import Api, Signed
from tests.nodes import InProcessNode, start_node
from tests.transport.doors import Door, assert_problem, closing_of, on_another_port, unchanged
from tests.wait import wait_until

WITHIN = 3.0
"""Seconds: a second is promised, and a busy machine is forgiven two."""


async def again(api: Api, who: Signed) -> Signed:
    """The same player in another session."""
    answer = await api.ask("POST", "/v1/sessions", body={"device": who.device})
    return Signed(who.id, who.name, who.device, answer.told["session"]["token"])


async def until_refused(api: Api, who: Signed) -> None:
    async def is_refused() -> bool:
        return (await api.ask("GET", "/v1/players/me", token=who.token)).code == "not_authenticated"

    await wait_until(is_refused, WITHIN, "the node refuses the session")


async def test_the_list_of_sessions_names_each_and_marks_the_present_one(api: Api) -> None:
    one = await api.sign_up()
    other, stranger = await again(api, one), await api.sign_up()
    for place, who in enumerate((one, other)):
        listed = (await api.ask("GET", "/v1/sessions", token=who.token)).told["sessions"]
        assert [each["current"] for each in listed] == [place == 0, place == 1]
        assert listed[0]["opened_at"] <= listed[1]["opened_at"] <= listed[1]["used_at"] < listed[1]["expires_at"]
        assert len({each["id"] for each in listed}) == 2
        assert not any(each["id"] in who.token for each in listed)
    assert len((await api.ask("GET", "/v1/sessions", token=stranger.token)).told["sessions"]) == 1
    lasts = datetime.fromisoformat(listed[0]["expires_at"]) - datetime.fromisoformat(listed[0]["opened_at"])
    assert lasts > timedelta(days=1)


async def test_signing_out_ends_this_session_and_no_other(api: Api) -> None:
    one = await api.sign_up()
    other = await again(api, one)
    assert (await api.ask("DELETE", "/v1/sessions/current", token=one.token)).status == 204
    assert_problem(await api.ask("DELETE", "/v1/sessions/current", token=one.token), "not_authenticated")
    listed = await api.ask("GET", "/v1/sessions", token=other.token)
    assert [each["current"] for each in listed.told["sessions"]] == [True]
    assert (await api.act(other)).status == 200


async def test_with_one_session_more_than_a_player_may_have_the_oldest_ends(settings: Settings) -> None:
    few = settings.model_copy(update={"sessions": SessionSettings(per_player=2)})
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api((await start_node(stack, few)).url))
        oldest = await api.sign_up()
        kept = [await again(api, oldest) for _ in range(2)]
        await until_refused(api, oldest)
        assert {(await api.act(each)).status for each in kept} == {200}


@pytest.mark.parametrize("path", ["/v1/sessions/current", "/v1/sessions"])
async def test_a_session_ended_on_one_node_is_over_on_another(settings: Settings, path: str) -> None:
    async with AsyncExitStack() as stack:
        nodes = [await start_node(stack, each) for each in (settings, on_another_port(settings))]
        here, there = [await stack.enter_async_context(Api(node.url)) for node in nodes]
        who, stranger = await here.sign_up(), await here.sign_up()
        sockets = [(await api.socket(who.token)).connection for api in (here, there)]
        open_still = await there.socket(stranger.token)
        assert (await there.act(who)).status == 200, "the other node knows the session"
        assert nodes[1].core.backend.sessions.known(who.token) is not None

        assert (await here.ask("DELETE", path, token=who.token)).status == 204
        assert_problem(await here.act(who), "not_authenticated", "at once on the node that was told")
        async with asyncio.timeout(WITHIN):
            assert [await closing_of(each) for each in sockets] == [([], 4409), ([], 4409)]
        await until_refused(there, who)
        assert "ok" in await open_still.ask("read"), "a stranger's socket"


async def test_no_socket_outlives_a_session_that_ends_while_it_says_hello(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up()
    connections = [await api.raw_socket() for _ in range(20)]
    hellos = [each.send_json({"id": 1, "op": "hello", "token": who.token}) for each in connections]
    await asyncio.gather(*hellos[:10], api.ask("DELETE", "/v1/sessions", token=who.token), *hellos[10:])
    async with asyncio.timeout(WITHIN):
        codes = {(await closing_of(each))[1] for each in connections}
    assert codes <= {4401, 4409, 4429}


async def test_sessions_that_an_old_redis_dump_brings_back_write_nothing(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings)
        api = await stack.enter_async_context(Api(node.url))
        who, redis = await api.sign_up(), node.core.redis
        before: dict[Any, Any] = {key: await redis.dump(key) for key in await redis.keys("gs:session*")}
        assert (await api.ask("DELETE", "/v1/sessions", token=who.token)).status == 204
        assert await redis.keys("gs:session*") == []
        for key, dumped in before.items():
            await redis.restore(key, 0, dumped)
        later = await start_node(stack, on_another_port(settings))
        other = await stack.enter_async_context(Api(later.url))
        assert (await other.ask("GET", "/v1/players/me", token=who.token)).status == 200, "Redis knows it again"
        async with unchanged(other, who):
            for kind in ("http", "socket"):
                error = await Door(kind, other, who).act({"action": "hunt", "args": {"foe": "slime"}})
                assert error["code"] == "session_revoked"
        fresh = await again(other, who)
        assert (await other.act(fresh)).status == 200


async def test_a_session_is_told_to_nobody_who_reads_redis(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up()
    secret = who.token.partition(".")[2].encode()
    keys: list[Any] = await node.core.redis.keys("*")
    hashes = [await node.core.redis.hgetall(key) for key in keys if key.startswith(b"gs:session:")]
    assert len(hashes) == 1
    assert not any(secret in part for part in (*keys, *hashes[0].values()))
