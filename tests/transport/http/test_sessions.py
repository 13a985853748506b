"""Sessions: listed, ended one by one or all at once, and over on every node and socket within a second."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_network
from typing import Any

import pytest

from gameserver.commands import turns
from gameserver.config.sections import SessionSettings
from gameserver.config.settings import Settings
from gameserver.storage.sessions.revocations import STREAM
from tests.support.client import Api, Signed
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, closing_of, on_another_port

WITHIN = 10.0
"""Seconds: one is promised, and a busy machine may take two more."""


async def again(api: Api, who: Signed) -> Signed:
    """The same player in another session."""
    answer = await api.ask("POST", "/v1/sessions", body={"device": who.device})
    return Signed(who.id, who.name, who.device, answer.body["session"]["token"])


async def until_refused(api: Api, who: Signed) -> None:
    async def is_refused() -> bool:
        return (await api.ask("GET", "/v1/players/me", token=who.token)).code == "not_authenticated"

    await wait_until(is_refused, WITHIN, "the node refuses the session")


async def test_the_list_of_sessions_has_all_and_marks_the_present_one(api: Api) -> None:
    one = await api.sign_up()
    other, stranger = await again(api, one), await api.sign_up()
    for place, who in enumerate((one, other)):
        listed = (await api.ask("GET", "/v1/sessions", token=who.token)).body["sessions"]
        assert [entry["current"] for entry in listed] == [place == 0, place == 1]
        assert listed[0]["opened_at"] <= listed[1]["opened_at"] <= listed[1]["used_at"] < listed[1]["expires_at"]
        assert len({entry["id"] for entry in listed}) == 2
        assert not any(entry["id"] in who.token for entry in listed)
    assert len((await api.ask("GET", "/v1/sessions", token=stranger.token)).body["sessions"]) == 1
    lasts = datetime.fromisoformat(listed[0]["expires_at"]) - datetime.fromisoformat(listed[0]["opened_at"])
    assert lasts > timedelta(days=1)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/sessions"), ("DELETE", f"/v1/sessions/{'0' * 16}")])
async def test_a_player_looks_through_its_sessions_once_at_a_time(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    monkeypatch.setattr(turns, "LONGEST_QUEUE", 0)
    who = await api.sign_up()
    async with node.core.commands.accounts.turns.read(int(who.id), "sessions"):
        assert_problem(await api.ask(method, path, token=who.token), "rate_limited")


async def test_signing_out_ends_this_session_and_no_other(api: Api) -> None:
    one = await api.sign_up()
    other = await again(api, one)
    assert (await api.ask("DELETE", "/v1/sessions/current", token=one.token)).status == 204
    assert_problem(await api.ask("DELETE", "/v1/sessions/current", token=one.token), "not_authenticated")
    listed = await api.ask("GET", "/v1/sessions", token=other.token)
    assert [session["current"] for session in listed.body["sessions"]] == [True]
    assert (await api.act(other)).status == 200


async def test_with_one_session_more_than_a_player_may_have_the_oldest_ends(settings: Settings) -> None:
    few = settings.model_copy(update={"sessions": SessionSettings(per_player=2)})
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api((await start_node(stack, few)).url))
        oldest = await api.sign_up()
        kept = [await again(api, oldest) for _ in range(2)]
        await until_refused(api, oldest)
        assert {(await api.act(entry)).status for entry in kept} == {200}


@pytest.mark.parametrize("path", ["/v1/sessions/current", "/v1/sessions"])
async def test_a_session_ended_on_one_node_is_over_on_another(settings: Settings, path: str) -> None:
    async with AsyncExitStack() as stack:
        nodes = [await start_node(stack, node_settings) for node_settings in (settings, on_another_port(settings))]
        here, there = [await stack.enter_async_context(Api(node.url)) for node in nodes]
        who, stranger = await here.sign_up(), await here.sign_up()
        sockets = [(await api.socket(who.token)).connection for api in (here, there)]
        open_still = await there.socket(stranger.token)
        assert (await there.act(who)).status == 200, "the other node knows the session"
        assert nodes[1].core.rooms.sessions.known(who.token) is not None

        assert (await here.ask("DELETE", path, token=who.token)).status == 204
        assert_problem(await here.act(who), "not_authenticated", "at once on the node that ended it")
        async with asyncio.timeout(WITHIN):
            assert [await closing_of(socket) for socket in sockets] == [([], 4409), ([], 4409)]
        await until_refused(there, who)
        assert "ok" in await open_still.ask("read"), "a stranger's socket"


async def test_no_socket_outlives_a_session_that_ends_while_it_says_hello(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up()
    connections = [await api.raw_socket() for _ in range(20)]
    hellos = [connection.send_json({"id": 1, "op": "hello", "token": who.token}) for connection in connections]
    await asyncio.gather(*hellos[:10], api.ask("DELETE", "/v1/sessions", token=who.token), *hellos[10:])
    async with asyncio.timeout(WITHIN):
        codes = {(await closing_of(connection))[1] for connection in connections}
    assert codes <= {4401, 4409, 4429}


async def refused(api: Api, who: Signed) -> set[str]:
    """The codes with which a session's token is refused: to read, to act, and to say hello."""
    read = await api.ask("GET", "/v1/players/me", token=who.token)
    acted = await api.act(who)
    connection = await api.raw_socket()
    await connection.send_json({"id": 1, "op": "hello", "token": who.token})
    frames, _ = await closing_of(connection)
    return {str(read.code), str(acted.code), frames[0]["error"]["code"]}


@pytest.mark.parametrize("ending", ["revoke all", "password"])
async def test_sessions_restored_by_an_old_redis_dump_are_refused(settings: Settings, ending: str) -> None:
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings)
        api = await stack.enter_async_context(Api(node.url))
        who, redis = await api.sign_up(), node.core.redis.commands
        held = [who, await again(api, who)]
        sockets = [(await api.socket(session.token)).connection for session in held]
        dumps = {key: await redis.dump(key) for key in await redis.keys("gs:*")}
        before: dict[Any, Any] = {key: dump for key, dump in dumps.items() if dump is not None}
        if ending == "password":
            changed = await api.ask("POST", "/v1/players/me/password", token=who.token, body={"new": "a-password"})
            assert changed.status == 200
        else:
            assert (await api.ask("DELETE", "/v1/sessions", token=who.token)).status == 204
        async with asyncio.timeout(WITHIN):
            assert [(await closing_of(socket))[1] for socket in sockets] == [4409, 4409]
        async with redis.pipeline(transaction=True) as together:
            together.flushall()
            for key, dumped in before.items():
                together.restore(key, 0, dumped)
            await together.execute()
        later = await start_node(stack, on_another_port(settings))
        other = await stack.enter_async_context(Api(later.url))
        for door in (api, other):
            assert {code for session in held for code in await refused(door, session)} <= {
                "session_revoked",
                "not_authenticated",
            }
        fresh = await again(other, who)
        assert (await other.act(fresh)).status == (await api.act(fresh)).status == 200
        assert len((await other.ask("GET", "/v1/sessions", token=fresh.token)).body["sessions"]) == 1


async def test_no_session_token_can_be_read_from_redis(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up()
    secret = who.token.partition(".")[2].encode()
    keys: list[Any] = await node.core.redis.commands.keys("*")
    hashes = [await node.core.redis.commands.hgetall(key) for key in keys if key.startswith(b"gs:session:")]
    assert len(hashes) == 1
    assert not any(secret in part for part in (*keys, *hashes[0].values()))


async def test_a_session_is_ended_by_its_id_from_another_one(api: Api) -> None:
    one, stranger = await api.sign_up(), await api.sign_up()
    other = await again(api, one)
    theirs = (await api.ask("GET", "/v1/sessions", token=stranger.token)).body["sessions"][0]["id"]
    listed = (await api.ask("GET", "/v1/sessions", token=other.token)).body["sessions"]
    (target,) = [session["id"] for session in listed if not session["current"]]
    connection = (await api.socket(one.token)).connection
    for wrong in (theirs, "0" * 16):
        answer = await api.ask("DELETE", f"/v1/sessions/{wrong}", token=other.token)
        assert_problem(answer, "session_not_found", wrong)
    for none in ("x", "0" * 15, "G" * 16, "0" * 64, "me", "currents"):
        assert_problem(await api.ask("DELETE", f"/v1/sessions/{none}", token=other.token), "bad_input", none)
    assert (await api.act(one)).status == (await api.act(stranger)).status == 200
    assert (await api.ask("DELETE", f"/v1/sessions/{target}", token=other.token)).status == 204
    assert_problem(await api.act(one), "not_authenticated")
    assert [code for _, code in [await closing_of(connection)]] == [4409]
    assert (await api.act(other)).status == 200


async def test_the_list_shows_what_the_client_calls_itself_and_where_it_was(settings: Settings) -> None:
    behind = settings.node.model_copy(update={"trusted_proxies": [ip_network("127.0.0.0/8")]})
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings.model_copy(update={"node": behind}))
        api = await stack.enter_async_context(Api(node.url))
        who = await api.sign_up(label="Ann's phone")
        for header, agent in (("1.2.3.4, 2001:db8::7", "Game/1.0 \u00e9"), ("9.9.9.9, nonsense", "x" * 3000)):
            body = {"device": who.device}
            opened = await api.ask("POST", "/v1/sessions", body=body, X_Forwarded_For=header, User_Agent=agent)
            assert opened.status == 201
        listed = (await api.ask("GET", "/v1/sessions", token=who.token)).body["sessions"]
        assert [(entry["label"], entry["address"]) for entry in listed] == [
            ("Ann's phone", "127.0.0.1"),
            ("Game/1.0 \u00e9", "2001:db8::7"),
            ("x" * 64, "127.0.0.1"),
        ]
        for label in ("x" * 65, 7, ["a"]):
            answer = await api.ask("POST", "/v1/sessions", body={"device": who.device, "label": label})
            assert_problem(answer, "bad_input", label)


async def test_a_session_that_is_used_lasts_and_an_idle_one_ends(settings: Settings) -> None:
    brief = SessionSettings.model_construct(idle_seconds=2, longest_seconds=60, per_player=20)
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings.model_copy(update={"sessions": brief}))
        api = await stack.enter_async_context(Api(node.url))
        used = await api.sign_up()
        rests = await again(api, used)

        async def has_one_left() -> bool:
            listed = (await api.ask("GET", "/v1/sessions", token=used.token)).body["sessions"]
            return [entry["current"] for entry in listed] == [True]

        await wait_until(has_one_left, 20, "the session that rests has ended")
        assert_problem(await api.act(rests), "not_authenticated")
        assert (await api.act(used)).status == 200


async def test_a_revocation_that_was_never_broadcast_takes_effect_within_a_second(settings: Settings) -> None:
    """The stream of revocations is lost or replaced by an older one, and with it the revocation's entry."""
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings)
        api = await stack.enter_async_context(Api(node.url))
        redis: Any = node.core.redis.commands
        for replace in ("XTRIM", "older", "lost"):
            who, stranger = await api.sign_up(), await api.sign_up()
            connection, open_still = (await api.socket(who.token)).connection, await api.socket(stranger.token)
            async with redis.pipeline(transaction=True) as together:
                together.delete(*await redis.keys(f"gs:session:{{{who.id}}}:*"))
                if replace == "XTRIM":
                    together.xadd(STREAM, {"ended": "1 x"}).xtrim(STREAM, maxlen=1, approximate=False)
                    together.xadd(STREAM, {"ended": "1 y"}).xtrim(STREAM, maxlen=1, approximate=False)
                else:
                    together.delete(STREAM)
                if replace == "older":
                    together.xadd(STREAM, {"ended": "1 x"}, id="7-1")
                await together.execute()
            await until_refused(api, who)
            async with asyncio.timeout(WITHIN):
                assert await closing_of(connection) == ([], 4409), replace
            assert "ok" in await open_still.ask("read"), "a stranger's socket"
            assert (await api.act(stranger)).status == 200
            assert (await api.ask("DELETE", "/v1/sessions/current", token=stranger.token)).status == 204
            async with asyncio.timeout(WITHIN):
                assert (await closing_of(open_still.connection))[1] == 4409, "later revocations are heard"


async def test_a_revocation_whose_node_died_in_the_middle_is_carried_out(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings)
        api = await stack.enter_async_context(Api(node.url))
        who = await api.sign_up()
        kept = await again(api, who)
        name = sha256(who.token.encode()).hexdigest()
        await node.core.redis.commands.xadd(STREAM, {"ended": f"{who.id} {name}"})

        async def is_gone() -> bool:
            return not await node.core.redis.commands.exists(f"gs:session:{{{who.id}}}:{name}")

        await wait_until(is_gone, WITHIN, "whoever reads of it ends it")
        await until_refused(api, who)
        assert (await api.act(kept)).status == 200
