"""What a socket is pushed: changes made elsewhere, notices, places on boards; and what a resume brings back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse

from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.storage.ids import slot_of
from gameserver.storage.live.presence import KEPT, NOTICE, Message
from gameserver.storage.live.pushes import NOTICES, SURE_SECONDS
from gameserver.storage.players.players import Players
from gameserver.storage.postgres.driver import Lineage
from gameserver.storage.redis.clients import connect
from gameserver.transport.socket.player_socket import PlayerSocket
from gameserver.transport.socket.sockets import Sockets
from gameserver.transport.wire import HEARTBEAT_SECONDS
from gameserver.upkeep.live import Live
from tests.support.client import ADMIN_KEY, Api, Socket
from tests.support.deployment import connected
from tests.support.nodes import InProcessNode, start_node
from tests.support.redis_past import go_back, remembered
from tests.support.wait import wait_until
from tests.transport.doors import closing_of


@pytest.fixture
async def two(settings: Settings) -> AsyncIterator[tuple[Api, Api]]:
    """Two nodes over the same servers."""
    async with AsyncExitStack() as stack:
        apis = []
        for name in ("first", "second"):
            own = settings.node.model_copy(update={"name": name, "port": free_port()})
            node = await start_node(stack, settings.model_copy(update={"node": own}))
            apis.append(await stack.enter_async_context(Api(node.url)))
        yield apis[0], apis[1]


async def hello(api: Api, token: str, **fields: Any) -> tuple[ClientWebSocketResponse, dict[str, Any]]:
    connection = await api.raw_socket()
    await connection.send_json({"id": 1, "op": "hello", "token": token, **fields})
    answer = await connection.receive_json(timeout=10)
    return connection, answer["ok"]


async def push_of(connection: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next push of a kind."""
    while True:
        answer: dict[str, Any] = await connection.receive_json(timeout=10)
        if answer.get("push") == kind:
            return answer


async def proclaim(api: Api, text: str) -> None:
    answer = await api.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body={"text": text, "reason": "a test"})
    assert answer.status == 201, answer.body


async def test_what_a_player_does_through_another_node_is_pushed_to_its_socket(two: tuple[Api, Api]) -> None:
    one, other = two
    who = await one.sign_up()
    connection, answer = await hello(one, who.token)
    acted = await other.act(who)
    push = await push_of(connection, "player")
    assert push == {"push": "player", "seq": answer["seq"], "data": acted.body["player"]}


async def test_a_change_that_the_socket_answered_itself_is_not_pushed_to_it(two: tuple[Api, Api]) -> None:
    one, other = two
    who = await one.sign_up()
    acting, watching = Socket((await hello(one, who.token))[0]), (await hello(other, who.token))[0]
    acted = await acting.ask("act", action="hunt", args={"foe": "slime"})
    assert (await push_of(watching, "player"))["data"] == acted["ok"]["player"]
    await other.act(who)
    collected: list[dict[str, Any]] = []
    while not collected or collected[-1]["data"]["version"] < 3:
        collected.append(await push_of(acting.connection, "player"))
    assert [entry["data"]["version"] for entry in collected] == [3]


async def test_a_notice_reaches_every_player_once_and_is_numbered_in_the_stream_of_each(
    two: tuple[Api, Api],
) -> None:
    players = [await two[0].sign_up() for _ in range(6)]
    opened = [await hello(two[place % 2], who.token) for place, who in enumerate(players)]
    for number in range(3):
        await proclaim(two[number % 2], f"notice {number}")
    for connection, answer in opened:
        pushes = [await push_of(connection, "notice") for _ in range(3)]
        assert sorted(push["data"]["text"] for push in pushes) == ["notice 0", "notice 1", "notice 2"]
        assert [push["seq"] - answer["seq"] for push in pushes] == [1, 2, 3]


async def test_a_resume_on_another_node_brings_what_was_missed_and_a_later_one_nothing(two: tuple[Api, Api]) -> None:
    one, other = two
    who = await one.sign_up()
    connection, answer = await hello(one, who.token)
    await proclaim(one, "seen")
    seen = await push_of(connection, "notice")
    await connection.close()
    await proclaim(other, "missed")
    resume = {"stream": answer["stream"], "seq": seen["seq"]}
    again, resumed = await hello(other, who.token, resume=resume)
    assert (resumed["resumed"], resumed["stream"], resumed["seq"]) == (True, answer["stream"], seen["seq"])
    missed = await push_of(again, "notice")
    assert (missed["seq"], missed["data"]["text"]) == (seen["seq"] + 1, "missed")
    last, now = await hello(one, who.token, resume={"stream": answer["stream"], "seq": missed["seq"]})
    assert (now["resumed"], now["seq"]) == (True, missed["seq"])
    await proclaim(one, "new")
    assert (await push_of(last, "notice"))["data"]["text"] == "new"


@pytest.mark.parametrize("seq", [1, 1000, 2**53 - 1])
async def test_an_invented_sequence_is_not_resumed(api: Api, seq: int) -> None:
    who = await api.sign_up()
    _, answer = await hello(api, who.token)
    _, again = await hello(api, who.token, resume={"stream": answer["stream"], "seq": answer["seq"] + seq})
    assert (again["resumed"], again["stream"] == answer["stream"], again["seq"]) == (False, False, answer["seq"])


async def test_another_players_stream_is_not_resumed_and_reveals_nothing_of_that_player(api: Api) -> None:
    one, other = await api.sign_up(), await api.sign_up()
    connection, theirs = await hello(api, one.token)
    await proclaim(api, "to all")
    await push_of(connection, "notice")
    connection, answer = await hello(api, other.token, resume={"stream": theirs["stream"], "seq": 0})
    assert answer["resumed"] is False
    assert answer["stream"] != theirs["stream"]
    assert (await Socket(connection).ask("ping"))["ok"]


async def test_missing_more_than_is_kept_is_answered_as_not_resumed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gameserver.storage.live.pushes.KEPT_PUSHES", 2)
    who = await api.sign_up()
    first, answer = await hello(api, who.token)
    for number in range(4):
        await proclaim(api, f"notice {number}")
        await push_of(first, "notice")
    resume = {"stream": answer["stream"], "seq": answer["seq"] + 1}
    assert (await hello(api, who.token, resume=resume))[1]["resumed"] is False
    resume = {"stream": answer["stream"], "seq": answer["seq"] + 2}
    assert (await hello(api, who.token, resume=resume))[1]["resumed"] is True


async def test_pushes_come_again_after_redis_has_forgotten_everything(two: tuple[Api, Api], settings: Settings) -> None:
    one, other = two
    who = await one.sign_up()
    connection, answer = await hello(one, who.token)
    await proclaim(one, "before")
    await push_of(connection, "notice")
    await forget_pushes(settings)
    await proclaim(other, "after")
    assert (await push_of(connection, "notice"))["data"]["text"] == "after"
    _, again = await hello(other, who.token, resume={"stream": answer["stream"], "seq": answer["seq"] + 1})
    assert (again["resumed"], again["stream"] == answer["stream"]) == (False, False)


async def forget_pushes(settings: Settings) -> None:
    """Loses everything but sessions, which a socket needs at its next frame."""
    redis = connect(settings.redis_url())
    async for key in redis.scan_iter(count=1000):
        if not key.startswith(b"gs:session"):
            await redis.delete(key)
    await redis.aclose()


@pytest.mark.own_node
async def test_a_socket_gets_what_it_subscribes_to(api: Api) -> None:
    who = await api.sign_up()
    own = await api.socket(who.token)
    assert (await own.ask("subscribe", topics=["rank:exp"]))["ok"] == {"topics": ["rank:exp"]}
    first = await push_of(own.connection, "rank")
    assert first["data"] == {"board": "exp", "rank": 1, "score": 0, "total": 1}
    won = 0
    while not won:
        won = (await api.act(who)).body["player"]["exp"]
    await proclaim(api, "not subscribed to")
    frame = await own.connection.receive_json(timeout=10)
    assert (frame["push"], frame["data"]["score"]) == ("rank", won)


async def test_the_end_of_a_season_is_pushed_to_sockets_that_have_the_topic_and_kept_for_a_resume(
    api: Api, node: InProcessNode
) -> None:
    who, pushes = await api.sign_up(), node.core.rooms.live.pushes
    connection, answer = await hello(api, who.token)
    other = Socket((await hello(api, who.token))[0])
    await other.ask("subscribe", topics=["notice"])
    end = {"board": "weekly", "season": "2026-11-16T00:00:00.000Z", "ended_at": "2026-11-23T00:00:00.000Z"}
    await pushes.add_notice(end, "season", once=True)
    assert await push_of(connection, "season") == {"push": "season", "seq": answer["seq"] + 1, "data": end}
    await proclaim(api, "after it")
    frame = await other.connection.receive_json(timeout=10)
    assert (frame["push"], frame["seq"], frame["data"]["text"]) == ("notice", answer["seq"] + 2, "after it")
    resume = {"stream": answer["stream"], "seq": answer["seq"]}
    again, resumed = await hello(api, who.token, resume=resume)
    assert (resumed["resumed"], (await push_of(again, "season"))["data"]) == (True, end)


async def test_a_board_that_the_game_has_no_more_holds_up_no_other_and_isnt_logged_each_second(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ranked = Sockets.ranked

    def with_one_that_is_gone(sockets: Sockets) -> dict[str, list[PlayerSocket]]:
        by_board = ranked(sockets)
        return {"gone": by_board["exp"], **by_board} if by_board else by_board

    monkeypatch.setattr(Sockets, "ranked", with_one_that_is_gone)
    own = await api.socket((await api.sign_up()).token)
    await own.ask("subscribe", topics=["rank:exp"])
    assert (await push_of(own.connection, "rank"))["data"]["board"] == "exp"
    assert "ranks wait" not in capsys.readouterr().out


async def test_unknown_topics_are_refused_and_change_nothing(api: Api) -> None:
    who = await api.sign_up()
    own = await api.socket(who.token)
    for topics in (["weather"], ["rank:nope"], ["player", ""], "player", [1], ["player"] * 21):
        answer = await own.ask("subscribe", topics=topics)
        assert answer["error"]["code"] == "bad_input", topics
    await api.act(who)
    assert (await push_of(own.connection, "player"))["data"]["version"] == 2


async def test_one_socket_more_than_a_player_may_have_closes_its_oldest(settings: Settings) -> None:
    own = settings.model_copy(update={"sockets": settings.sockets.model_copy(update={"per_player": 3})})
    async with AsyncExitStack() as stack:
        node = await start_node(stack, own)
        api = await stack.enter_async_context(Api(node.url))
        who = await api.sign_up()
        opened = [(await hello(api, who.token))[0] for _ in range(5)]
        for connection in opened[:2]:
            assert (await closing_of(connection))[1] == 4429
        for connection in opened[2:]:
            assert "ok" in await Socket(connection).ask("ping")


async def test_operators_see_who_is_connected_where(two: tuple[Api, Api]) -> None:
    one, other = two
    players = [await one.sign_up() for _ in range(5)]
    here = [await hello(one, who.token) for who in players[:3]]
    there = [await hello(other, who.token) for who in players[2:4]]
    ids = ",".join(who.id for who in players)

    async def seen() -> dict[str, Any]:
        body: dict[str, Any] = (await other.admin("nodes", ids=ids)).body
        return body

    async def is_right() -> bool:
        return {node["name"]: (node["sockets"], node["players"]) for node in (await seen())["nodes"]} == {
            "first": (3, 3), "second": (2, 2)
        }  # fmt: skip

    await wait_until(is_right, what="both nodes tell their players")
    body = await seen()
    assert (body["sockets"], body["players"]) == (5, 5)
    assert [sorted(entry["nodes"]) for entry in body["online"]] == [
        ["first"], ["first"], ["first", "second"], ["second"], []
    ]  # fmt: skip
    await asyncio.gather(*(connection.close() for connection, _ in here + there))

    async def is_empty() -> bool:
        return bool((await seen())["players"] == 0)

    await wait_until(is_empty, what="all have left")
    assert (await one.ask("GET", "/admin/v1/nodes", token=players[0].token)).code == "forbidden"


async def test_a_notice_to_one_player_reaches_that_player_alone_also_after_it_was_away(two: tuple[Api, Api]) -> None:
    one, other = two
    who, stranger = await one.sign_up(), await one.sign_up()
    connection, answer = await hello(one, who.token)
    theirs, _ = await hello(one, stranger.token)
    body = {"text": "for you", "player": who.id, "reason": "a test"}
    assert (await other.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body=body)).status == 201
    push = await push_of(connection, "notice")
    assert (push["seq"], push["data"]["text"]) == (answer["seq"] + 1, "for you")
    await connection.close()
    assert (await other.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body=body)).status == 201
    again, resumed = await hello(other, who.token, resume={"stream": answer["stream"], "seq": push["seq"]})
    assert (resumed["resumed"], (await push_of(again, "notice"))["seq"]) == (True, push["seq"] + 1)
    await theirs.send_json({"id": "ping", "op": "ping"})
    assert (await theirs.receive_json(timeout=10))["id"] == "ping", "nothing came before the answer"
    nobody = await one.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body={**body, "player": "1"})
    assert nobody.code == "player_not_found"


async def test_a_notice_to_one_player_that_has_just_left_reaches_it_though_it_knows_no_stream(
    two: tuple[Api, Api],
) -> None:
    one, other = two
    who = await one.sign_up()
    connection, answer = await hello(one, who.token)
    await connection.close()
    body = {"text": "for you", "player": who.id, "reason": "a test"}
    assert (await other.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body=body)).status == 201
    again, resumed = await hello(other, who.token)
    assert (resumed["resumed"], resumed["stream"], resumed["seq"]) == (False, answer["stream"], answer["seq"])
    push = await push_of(again, "notice")
    assert (push["seq"], push["data"]["text"]) == (answer["seq"] + 1, "for you")
    resume = {"stream": answer["stream"], "seq": push["seq"]}
    assert (await hello(one, who.token, resume=resume))[1]["resumed"] is True
    last = Socket((await hello(other, who.token))[0])
    await last.connection.send_json({"id": "ping", "op": "ping"})
    assert (await last.connection.receive_json(timeout=10))["id"] == "ping", "nothing came before the answer"


async def test_who_comes_back_gets_the_notices_to_all_also_if_its_socket_is_caught_up_amid_the_hello(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, who = node.core.rooms.live, await api.sign_up()
    join, catch_up, caught_up = live.presence.join, live.pushes.catch_up, asyncio.Event()
    await proclaim(api, "to all")
    await live.pushes.load_notices()

    async def slowly(player_id: int) -> None:
        await join(player_id)
        await live.presence.announce(KEPT, [(player_id, 1)])
        await asyncio.wait_for(caught_up.wait(), 10)

    async def noted(*args: Any) -> Any:
        opened = await catch_up(*args)
        caught_up.set()
        return opened

    monkeypatch.setattr(live.presence, "join", slowly)
    monkeypatch.setattr(live.pushes, "catch_up", noted)
    of_an_hour_ago = f"{int(time.time()) - 3600:08x}00000000"
    connection, answer = await hello(api, who.token, resume={"stream": of_an_hour_ago, "seq": 3})
    assert (answer["resumed"], (await push_of(connection, "notice"))["data"]["text"]) == (False, "to all")


def test_an_open_socket_has_had_what_it_was_sent_only_after_its_heartbeat_has_closed_those_that_are_gone() -> None:
    # aiohttp waits for a pong half as long as between two pings.
    assert SURE_SECONDS >= 2 * (1.5 * HEARTBEAT_SECONDS)


@pytest.mark.parametrize("step", ["load_notices", "catch_up"])
async def test_a_notice_that_is_heard_amid_a_delivery_is_delivered_next(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    connection, _ = await hello(api, (await api.sign_up()).token)
    pushes, note = node.core.rooms.live.pushes, Live._note
    done, under_way, goes_on, heard = getattr(pushes, step), asyncio.Event(), asyncio.Event(), list[Message | None]()

    async def slowly(*args: Any) -> Any:
        answer = await done(*args)
        under_way.set()
        await goes_on.wait()
        return answer

    def noted(self: Live, message: Message | None) -> None:
        note(self, message)
        heard.append(message)

    monkeypatch.setattr(pushes, step, slowly)
    monkeypatch.setattr(Live, "_note", noted)
    await proclaim(api, "first")
    await asyncio.wait_for(under_way.wait(), 10)
    await proclaim(api, "amid")
    await wait_until(lambda: sum(message is not None and message.kind == NOTICE for message in heard) == 2)
    goes_on.set()
    assert [(await push_of(connection, "notice"))["data"]["text"] for _ in range(2)] == ["first", "amid"]


@pytest.mark.parametrize("amid", [[], ["amid"]], ids=["more", "as much"])
async def test_pushes_reach_those_who_were_pushed_more_than_redis_has_left_or_as_much(
    api: Api, node: InProcessNode, settings: Settings, amid: list[str]
) -> None:
    who = await api.sign_up()
    connection, _ = await hello(api, who.token)
    redis, keys = connect(settings.redis_url()), f"gs:*{{{who.id}}}"
    past = await remembered(redis, keys)
    await proclaim(api, "lost")
    await push_of(connection, "notice")
    await go_back(redis, past, keys)
    await redis.delete(NOTICES)
    await redis.aclose()
    for text in amid:
        await node.core.rooms.live.pushes.keep(int(who.id), "notice", {"text": text})
    await proclaim(api, "next")
    texts = [(await push_of(connection, "notice"))["data"]["text"] for _ in (*amid, "next")]
    assert texts == [*amid, "next"]


async def test_a_state_that_its_database_lost_gives_way_to_the_one_that_it_has(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await api.sign_up()
    connection, _ = await hello(api, who.token)
    for version in (2, 3, 4):
        await api.act(who)
        while (await push_of(connection, "player"))["data"]["version"] < version:
            pass
    lineages = node.core.rooms.players.lineages()
    database = node.core.slots.owner("players", slot_of(int(who.id)))
    monkeypatch.setattr(Players, "lineages", lambda _: lineages)
    async with connected(database.url) as connected_to:
        await connected_to.execute("delete from ledger where player_id = $1 and version > 2", int(who.id))
        await connected_to.execute("update players set version = 2 where id = $1", int(who.id))
    lineages = {**lineages, database.name: Lineage("restored", 1)}
    assert (await push_of(connection, "player"))["data"]["version"] == 2
    acted = await api.act(who)
    assert (await push_of(connection, "player"))["data"] == acted.body["player"]
    assert acted.body["player"]["version"] == 3


async def test_a_notice_needs_a_reason_and_an_admin(api: Api) -> None:
    who = await api.sign_up()
    for body in (
        {"text": "x"},
        {"reason": "x"},
        {"text": "", "reason": "x"},
        {"text": "x" * 1001, "reason": "x"},
        {"text": "x", "reason": "x\0"},
        {"text": "x\0", "reason": "x"},
    ):
        answer = await api.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body=body)
        assert (answer.status, answer.code) == (422, "bad_input"), body
    answer = await api.ask("POST", "/admin/v1/notices", token=who.token, body={"text": "x", "reason": "x"})
    assert answer.code == "forbidden"


async def test_a_socket_that_missed_more_than_is_kept_gets_what_is_left_and_goes_on(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gameserver.storage.live.pushes.KEPT_PUSHES", 3)
    who = await api.sign_up()
    connection, answer = await hello(api, who.token)
    for number in range(5):
        await node.core.rooms.live.pushes.keep(int(who.id), "notice", {"text": f"unheard {number}"})
    for text in ("heard", "heard, too"):
        await node.core.rooms.live.presence.announce(
            KEPT, [(int(who.id), await node.core.rooms.live.pushes.keep(int(who.id), "notice", {"text": text}))]
        )
    pushes: list[dict[str, Any]] = []
    while not pushes or pushes[-1]["data"]["text"] != "heard, too":
        pushes.append(await push_of(connection, "notice"))
    numbers = [push["seq"] - answer["seq"] for push in pushes]
    assert (numbers[-1], numbers == sorted(set(numbers)), len(numbers) >= 3) == (7, True, True)


async def test_the_stream_of_a_hello_without_redis_can_be_sent_back(api: Api) -> None:
    who = await api.sign_up()
    _, answer = await hello(api, who.token, resume={"stream": "", "seq": 0})
    assert (answer["resumed"], bool(answer["stream"])) == (False, True)


async def test_notices_are_heard_after_redis_lost_those_that_came_before_and_streams_made_meanwhile(
    two: tuple[Api, Api], settings: Settings
) -> None:
    one, other = two
    await proclaim(one, "before")
    await forget_pushes(settings)
    who = await one.sign_up()
    connection, _ = await hello(one, who.token)
    await proclaim(other, "after")
    while (await push_of(connection, "notice"))["data"]["text"] != "after":
        pass
