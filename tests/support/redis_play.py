"""A node on a Redis of some kind, everything that Redis is used for, and play that a fault of it mustn't interrupt."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from gameserver.config.servers import RedisSettings
from gameserver.config.settings import Settings
from tests.support.client import ADMIN_KEY, Api, Signed
from tests.support.nodes import InProcessNode, start_node
from tests.support.redis_kinds import Running
from tests.support.servers import BUSY
from tests.support.wait import wait_until
from tests.transport.doors import closing_of

ACTS = 10
WIDER = (
    "hellos_per_player",
    "sign_ins_per_address",
    "sign_ins_per_name",
    "sign_ins_per_name_and_address",
    "sign_ups_per_address",
)
"""Limits that count, but that no test comes near."""


@dataclass
class Played:
    """A node on a Redis of some kind, and a client of it."""

    redis: Running
    node: InProcessNode
    api: Api


async def played(stack: AsyncExitStack, settings: Settings, redis: Running) -> Played:
    access = redis.access
    section = RedisSettings(url=redis.url, ca=access.ca, certificate=access.certificate, key=access.key)
    many = {"per_minute": 6000, "burst": 1000}
    limited = dict.fromkeys(WIDER, many) | {"exempt": (), "actions_per_player": BUSY}
    values = {**settings.model_dump(), "redis": section.model_dump(), "limits": limited}
    node = await start_node(stack, Settings(**values))
    return Played(redis, node, await stack.enter_async_context(Api(node.url)))


async def until_ranked(api: Api, *players: Signed) -> None:
    """Those and no others are on the board, with what the database says of them."""

    async def are_ranked() -> bool:
        shown = [(await api.ask("GET", "/v1/players/me", token=player.token)).body for player in players]
        board = (await api.ask("GET", "/v1/boards/exp?limit=200")).body
        there = {each["player"]["id"]: each["score"] for each in board.get("entries", ())}
        return there == {player["id"]: player["exp"] for player in shown}

    await wait_until(are_ranked, 30, "the board is right")


async def play(all_of: Played) -> Signed:
    """Everything that Redis is used for, once."""
    api = all_of.api
    who, friend = await api.sign_up(), await api.sign_up()
    socket = await api.socket(who.token)
    for _ in range(3):
        assert "ok" in await socket.ask("act", action="hunt", args={"foe": "slime"})
    assert (await api.act(friend)).status == 200
    await until_ranked(api, who, friend)
    assert (await api.ask("PUT", f"/v1/players/me/friends/{friend.id}", token=who.token)).status == 204
    for _ in range(2):
        listed = await api.ask("GET", "/v1/players/me/friends", token=who.token)
        assert [friend["id"] for friend in listed.body["friends"]] == [friend.id]
        among = await api.ask("GET", "/v1/boards/exp/friends", token=who.token)
        assert {entry["player"]["id"] for entry in among.body["entries"]} == {who.id, friend.id}
        fed = await api.ask("GET", "/v1/players/me/feed", token=who.token)
        assert [entry["version"] for entry in fed.body["entries"]] == [4, 3, 2, 1]
    await be_told(api, socket.connection, who)
    await end_one(api, who)
    return who


async def be_told(api: Api, connection: Any, who: Signed) -> None:
    """A notice to all and one to a player reach its socket, and operators see which players are connected."""
    for asked in ({"text": "all"}, {"text": "one", "player": who.id}):
        body = {**asked, "reason": "a test"}
        assert (await api.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body=body)).status == 201
        while (push := await connection.receive_json(timeout=10)).get("push") != "notice":
            pass
        assert push["data"]["text"] == asked["text"]
    nodes = (await api.admin("nodes", ids=who.id)).body
    assert nodes["online"][0]["nodes"], nodes


async def end_one(api: Api, who: Signed) -> None:
    again = await api.ask("POST", "/v1/sessions", body={"device": who.device})
    token = again.body["session"]["token"]
    connection = (await api.socket(token)).connection
    listed = (await api.ask("GET", "/v1/sessions", token=who.token)).body["sessions"]
    (other,) = [each["id"] for each in listed if not each["current"]]
    assert (await api.ask("DELETE", f"/v1/sessions/{other}", token=who.token)).status == 204
    while (code := (await closing_of(connection))[1]) is None:
        pass
    assert code == 4409


class playing:  # noqa: N801 (reads as what it does)
    """A player acts over its socket and over HTTP all the time, ACTS times at least; every act has to succeed."""

    def __init__(self, api: Api, who: Signed) -> None:
        self._api, self._who = api, who
        self._acts, self._done = 0, asyncio.Event()

    async def __aenter__(self) -> None:
        self._before = await self._version()
        self._task = asyncio.create_task(self._play(await self._api.socket(self._who.token)))

    async def __aexit__(self, *_: object) -> None:
        await wait_until(lambda: self._acts >= ACTS or self._task.done(), what="play goes on")
        self._done.set()
        await self._task
        assert await self._version() == self._before + self._acts, "every act took effect once"

    async def _version(self) -> int:
        return int((await self._api.ask("GET", "/v1/players/me", token=self._who.token)).body["version"])

    async def _play(self, socket: Any) -> None:
        down = False
        while not self._done.is_set():
            reply = await socket.ask("act", action="revive" if down else "hunt", args={} if down else {"foe": "slime"})
            down = reply.get("error", {}).get("code") == "player_is_down"
            assert down or "ok" in reply, reply
            self._acts += not down
            answer = await self._api.act(self._who)
            assert answer.status == 200 or answer.code == "player_is_down", answer.body
            self._acts += answer.status == 200


async def act_or_revive(api: Api, who: Signed) -> None:
    """An act succeeds: a hunt, or what is left to a player that the play before has brought down."""
    answer = await api.act(who)
    if answer.code == "player_is_down":
        answer = await api.act(who, "revive")
    assert answer.status == 200, answer.body


async def until_open(api: Api, who: Signed) -> None:
    """Sign-in is refused with 503 and a Retry-After until it works again."""

    async def is_open() -> bool:
        answer = await api.ask("POST", "/v1/sessions", body={"device": who.device})
        if answer.status == 201:
            return True
        assert (answer.status, answer.code) == (503, "sessions_unavailable"), answer.body
        assert int(answer.headers["Retry-After"]) >= 1
        return False

    await wait_until(is_open, 30, "players can sign in")


async def until_back(api: Api, who: Signed) -> None:
    """The session of before, the board and the friends are there, on the node that has run all the time."""
    friends = (await api.ask("GET", "/v1/players/me/friends", token=who.token)).body["friends"]

    async def is_ranked() -> bool:
        me = (await api.ask("GET", "/v1/players/me", token=who.token)).body
        board = (await api.ask("GET", f"/v1/boards/exp/around/{who.id}?radius=0")).body
        return [each["score"] for each in board.get("entries", ())] == [me["exp"]]

    await wait_until(is_ranked, 30, "the board is right again")
    among = await api.ask("GET", "/v1/boards/exp/friends", token=who.token)
    assert {entry["player"]["id"] for entry in among.body["entries"]} == {who.id, friends[0]["id"]}
    assert (await api.ask("GET", "/v1/sessions", token=who.token)).status == 200
