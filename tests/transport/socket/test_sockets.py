"""The life of a socket: its opening, its hello, its order, and the ways in which it ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError, WSMsgType, WSServerHandshakeError
from sqlalchemy import select

from gameserver.config.settings import Settings
from gameserver.storage import tables
from gameserver.storage.ids import slot_of
from gameserver.transport.socket import conversation
from tests.support.client import Api, Signed, command_id
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, closing_of
from tests.transport.samples import HUNT


async def test_hello_is_answered_with_the_present_state(api: Api) -> None:
    who = await api.sign_up("priest")
    acted = await api.act(who)
    connection = await api.raw_socket()
    assert connection.protocol == "gameserver.v1"
    await connection.send_json({"id": "first", "op": "hello", "token": who.token, "resume": {"stream": "x", "seq": 7}})
    answer = await connection.receive_json(timeout=10)
    assert answer["id"] == "first"
    assert answer["ok"]["player"] == acted.body["player"]
    assert (answer["ok"]["seq"], answer["ok"]["resumed"], answer["ok"]["heartbeat_seconds"]) == (0, False, 20)
    assert answer["ok"]["stream"]
    assert answer["ok"]["server_time"].endswith("Z")


async def test_a_socket_that_says_no_hello_is_closed_in_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert conversation.HELLO_SECONDS == 5
    monkeypatch.setattr(conversation, "HELLO_SECONDS", 0.1)
    connection = await api.raw_socket()
    frames, closed = await closing_of(connection)
    assert ([(frame["id"], frame["error"]["code"]) for frame in frames], closed) == (
        [(None, "not_authenticated")],
        4401,
    )


async def test_every_answer_repeats_the_id_of_its_request(api: Api) -> None:
    connection = (await api.socket((await api.sign_up()).token)).connection
    ids: list[Any] = [0, 1, 2**53 - 1, "", "x" * 64, "🐉", "0"]
    for frame_id in ids:
        await connection.send_json({"id": frame_id, "op": "ping"})
    answers = [await connection.receive_json(timeout=10) for _ in ids]
    assert sorted(str(answer["id"]) for answer in answers) == sorted(map(str, ids))
    assert all("ok" in answer for answer in answers)


async def test_pipelined_commands_over_a_socket_take_effect_once_and_in_the_order_sent(api: Api) -> None:
    connection = (await api.socket((await api.sign_up()).token)).connection
    keys = [command_id() for _ in range(60)]
    for place, key in enumerate(keys):
        for copy in ("first", "again"):
            await connection.send_json({"id": f"{copy} {place}", "op": "act", "command_id": key, **HUNT})
    answers = [await connection.receive_json(timeout=10) for _ in range(2 * len(keys))]
    by_id = {entry["id"]: entry for entry in answers}
    applied = [by_id[f"first {place}"] for place in range(len(keys))]
    versions = [entry["ok"]["player"]["version"] for entry in applied if "ok" in entry]
    assert versions == list(range(2, 2 + len(versions)))
    for place, first in enumerate(applied):
        if "ok" in first:
            assert by_id[f"again {place}"]["ok"] == {**first["ok"], "replayed": True}
        else:
            assert first["error"]["code"] == "player_is_down"


async def test_two_sockets_of_one_player_share_one_history(api: Api) -> None:
    who = await api.sign_up()
    sockets = [await api.socket(who.token) for _ in range(2)]
    results = await asyncio.gather(*(socket.ask("act", **HUNT) for socket in sockets))
    assert sorted(entry["ok"]["player"]["version"] for entry in results) == [2, 3]


async def test_a_foreign_origin_opens_no_socket(api: Api) -> None:
    for origin in ("http://evil.example", "null", "http://[", "", "http://127.0.0.1:1", api.url + ".evil.example"):
        with pytest.raises(WSServerHandshakeError) as caught:
            await api.raw_socket(Origin=origin)
        assert caught.value.status == 403, origin
        assert_problem(await api.ask("GET", "/v1/socket", Origin=origin), "forbidden", origin)


async def test_the_servers_own_origin_and_those_of_the_settings_open_a_socket(settings: Settings) -> None:
    node = settings.node.model_copy(update={"origins": ("https://game.example",)})
    async with AsyncExitStack() as stack:
        started = await start_node(stack, settings.model_copy(update={"node": node}))
        api = await stack.enter_async_context(Api(started.url))
        for origin in ("https://game.example", api.url):
            await (await api.raw_socket(Origin=origin)).close()


async def test_a_request_that_is_no_upgrade_gets_an_error(api: Api) -> None:
    assert_problem(await api.ask("GET", "/v1/socket"), "bad_input")
    assert_problem(await api.ask("POST", "/v1/socket"), "method_not_allowed")


async def test_a_node_that_stops_answers_pending_requests_and_says_that_it_is_going_away(settings: Settings) -> None:
    short = settings.node.model_copy(update={"drain_seconds": 3})
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings.model_copy(update={"node": short}))
        async with Api(node.url) as api:
            who = await api.sign_up()
            socket, silent = await api.socket(who.token), (await api.socket(who.token)).connection
            async with locked(node, who):
                await socket.connection.send_json({"id": "slow", "op": "act", **HUNT})
                await socket.ask("ping")
                stopping = asyncio.create_task(stack.aclose())
                push = await socket.connection.receive_json(timeout=10)
            assert (push["push"], push["seq"]) == ("going_away", 0)
            assert 0 <= push["data"]["reconnect_after_ms"] <= 1200
            ((answer,), closed) = await closing_of(socket.connection)
            assert (answer["id"], answer["ok"]["player"]["version"], closed) == ("slow", 2, 1001)
            ((push,), closed) = await closing_of(silent)
            assert (push["push"], closed) == ("going_away", 1001)
            await stopping


@asynccontextmanager
async def locked(node: InProcessNode, who: Signed) -> AsyncIterator[None]:
    """Locks the player's row in a transaction, so that its commands wait."""
    slot = slot_of(int(who.id))
    answer = tables.player_rows.c
    row = select(answer.id).where(answer.slot == slot, answer.id == int(who.id)).with_for_update()
    async with node.core.slots.owner("players", slot).transaction() as connection:
        assert (await connection.execute(row)).scalar() == int(who.id)
        yield


@pytest.mark.own_node
async def test_a_peer_that_never_reads_is_cut_off_and_others_are_served(api: Api) -> None:
    players = await asyncio.gather(*(api.sign_up() for _ in range(40)))

    async def are_ranked() -> bool:
        return bool((await api.ask("GET", "/v1/boards/exp")).body.get("total") == len(players))

    await wait_until(are_ranked, what="all are on the board")
    before = await open_sockets(api)
    deaf, other = await api.socket(players[0].token), await api.socket(players[1].token)
    request_id = 0

    async def is_cut_off() -> bool:
        nonlocal request_id
        with suppress(ClientConnectionResetError):
            for _ in range(100):
                request_id += 1
                with contextlib.suppress(ClientConnectionResetError):  # just cut off
                    await deaf.connection.send_str(
                        json.dumps({"id": request_id, "op": "board", "board": "exp", "limit": 200})
                    )
        return await open_sockets(api) == before + 1

    await wait_until(is_cut_off, 30, "the deaf peer is cut off")
    assert "ok" in await other.ask("read")
    frames = 0
    while (message := await deaf.connection.receive(timeout=10)).type is WSMsgType.TEXT:
        frames += 1
    assert frames < request_id
    assert message.data == 4408 or deaf.connection.close_code == 1006, "closed with the code, or aborted"


async def open_sockets(api: Api) -> int:
    metrics = (await api.ask("GET", "/metrics")).body.decode()
    return int(float(next(line.split()[1] for line in metrics.splitlines() if line.startswith("gameserver_sockets "))))
