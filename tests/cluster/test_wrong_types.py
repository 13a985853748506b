"""Somebody has overwritten keys of Redis with something of another kind: each counts as lost, and all works again."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from gameserver.storage.redis.lost_keys import kind_of
from tests.support.client import ADMIN_KEY, Answer, Signed
from tests.support.redis_kinds import Server, alone
from tests.support.redis_play import Played, played
from tests.support.wait import wait_until

PASSWORD = "correct horse of 7 staples"
BOARD = "gs:{board:exp}:*:"
PARTS = ("order", "members", "gone", "gone_before", "checkpoints", "as_of")
KINDS = {
    *(f"{BOARD}*:{part}" for part in PARTS),
    f"{BOARD}state",
    "gs:feed:{*}:json",
    "gs:friends:{*}",
    "gs:friends:{*}:guard",
    "gs:known:{*}",
    "gs:limit:{sign_in}:address:*",
    "gs:limit:{sign_in}:name:*:address:*",
    "gs:limit:{sign_in}:name:*",
    "gs:limit:{sign_up}:address:*",
    "gs:pushes:{*}",
    "gs:revocations:log",
    "gs:session-bar:{*}",
    "gs:session:{*}:*",
    "gs:sessions:writable",
    "gs:sessions:{*}",
    "gs:stream:{*}",
    "gs:{notices}:list",
    "gs:{notices}:number",
    "gs:{presence}:node:*:*",
    "gs:{presence}:nodes",
    "gs:{presence}:order:*:*",
    "gs:{presence}:players:*:*",
    "gs:{presence}:vitals:*:*",
}
"""Of all keys that there are, but for those of other boards."""
REFUSED = {
    "board_unavailable",
    "not_authenticated",
    "player_is_down",
    "presence_unavailable",
    "sessions_unavailable",
}


async def keys_by_kind(server: Server, who: Signed, address: str) -> Mapping[str, Sequence[str]]:
    """The keys that there are, and those that are there for moments only."""
    there = [key.decode() for key in await server.ask("KEYS", "*")]
    hashed = next(key for key in there if key.startswith("gs:known:")).partition("{")[2].rstrip("}")
    of_name = f"gs:limit:{{sign_in}}:name:{hashed}"
    moments = (
        f"gs:friends:{{{who.id}}}:guard",
        "gs:sessions:writable",
        f"gs:session-bar:{{{who.id}}}",
        f"gs:{{presence}}:order:{address}",
        f"gs:{{presence}}:players:{address}",
        *(f"gs:limit:{{{kind}}}:address:127.0.0.1" for kind in ("sign_up", "sign_in")),
        of_name,
        f"{of_name}:address:127.0.0.1",
        *(key.removesuffix("order") + part for key in there if key.endswith(":order") for part in PARTS),
    )
    kinds = defaultdict[str, list[str]](list)
    for key in sorted({*there, *moments}):
        if not key.startswith("gs:{board:") or key.startswith("gs:{board:exp}"):
            kinds[kind_of(key)].append(key)
    return kinds


class Doors:
    """A player, its friend, and everything that Redis is used for."""

    def __init__(self, all_of: Played, who: Signed, friend: Signed) -> None:
        self.api, self.who, self.friend, self.token = all_of.api, who, friend, who.token
        self.refused = list[Answer]()

    async def ask(self, method: str, path: str, **asked: object) -> Answer:
        """An answer, which is right, or a refusal that says what is away."""
        answer = await self.api.ask(method, path, token=self.token, **asked)  # type: ignore[arg-type]
        if answer.status >= 400:
            assert answer.code in REFUSED, (method, path, answer.body)
            assert answer.status != 503 or int(answer.headers["Retry-After"]) >= 1
            self.refused.append(answer)
        return answer

    async def sign_in(self) -> bool:
        """By password; the session of before has ended if Redis has lost it."""
        opened = await self.ask("POST", "/v1/sessions", body={"name": self.who.name, "password": PASSWORD})
        if opened.status == 201 and (await self.ask("GET", "/v1/players/me")).status == 401:
            self.token = opened.body["session"]["token"]
        return opened.status == 201

    async def work(self) -> bool:
        """Whether every door answers, and rightly."""
        self.refused = []
        if not await self.sign_in() or (await self.act()).status != 200:
            return False
        return await self.is_ranked() and await self.is_fed() and await self.is_told() and not self.refused

    async def act(self) -> Answer:
        """A hunt, or what is left to a player that is down."""
        answer = await self.ask("POST", "/v1/players/me/actions", body={"action": "hunt", "args": {"foe": "slime"}})
        if answer.code != "player_is_down":
            return answer
        self.refused.remove(answer)
        return await self.ask("POST", "/v1/players/me/actions", body={"action": "revive", "args": {}})

    async def is_ranked(self) -> bool:
        """By the boards, as the database has it."""
        players = [(await self.ask("GET", f"/v1/players/{each.id}")).body for each in (self.who, self.friend)]
        expected = {player["id"]: player["exp"] for player in players if "id" in player}
        for path in ("exp?limit=50", "exp/around/me", "exp/friends"):
            board = (await self.ask("GET", f"/v1/boards/{path}")).body
            if {each["player"]["id"]: each["score"] for each in board.get("entries", ())} != expected:
                return False
        return True

    async def is_fed(self) -> bool:
        """By lists: what it did last, its friends, its sessions."""
        me = (await self.ask("GET", "/v1/players/me")).body
        feed = (await self.ask("GET", "/v1/players/me/feed?limit=2")).body
        friends = (await self.ask("GET", "/v1/players/me/friends")).body
        listed = (await self.ask("GET", "/v1/sessions")).body
        return (
            [entry["version"] for entry in feed["entries"]] == [me["version"], me["version"] - 1]
            and [each["id"] for each in friends["friends"]] == [self.friend.id]
            and bool(listed.get("sessions"))
        )

    async def is_told(self) -> bool:
        """Over a socket, and by what operators see."""
        socket = await self.api.socket(self.token)
        token, self.token = self.token, ADMIN_KEY
        try:
            told = {"text": "all", "reason": "a test"}
            if (await self.ask("POST", "/admin/v1/notices", body=told)).status != 201:
                return False
            while (await socket.connection.receive_json(timeout=10)).get("push") != "notice":
                pass
            nodes = (await self.ask("GET", f"/admin/v1/nodes?ids={self.who.id}")).body
            fleet = (await self.ask("GET", "/admin/v1/fleet")).body
            online = await self.ask("GET", "/admin/v1/rankings?online=true&by=exp")
            return bool(
                nodes.get("online", [{}])[0].get("nodes")
                and all(node["figures"] for node in fleet.get("nodes", [{"figures": None}]))
                and self.who.id in [row["player"]["id"] for row in online.body.get("entries", ())]
            )
        finally:
            self.token = token
            await socket.connection.close()


async def prepared(all_of: Played) -> Doors:
    api = all_of.api
    who, friend, deleted = [await api.sign_up() for _ in range(3)]
    doors = Doors(all_of, who, friend)
    for player in (who, friend, deleted):
        assert (await api.act(player)).status == 200
    assert (await api.ask("PUT", f"/v1/players/me/friends/{friend.id}", token=who.token)).status == 204
    changed = await api.ask("POST", "/v1/players/me/password", token=who.token, body={"new": PASSWORD})
    assert changed.status == 200, changed.body
    doors.token = changed.body["session"]["token"]
    assert (await api.ask("DELETE", "/v1/players/me", token=deleted.token)).status == 204
    await wait_until(doors.work, 20, "everything works")
    body = {"text": "one", "reason": "a test", "player": who.id}
    assert (await api.ask("POST", "/admin/v1/notices", token=ADMIN_KEY, body=body)).status == 201
    return doors


OVERWRITE = "redis.call('UNLINK', KEYS[1]) return redis.call(ARGV[1], KEYS[1], 'something else')"
"""In one step: the node may make the key again in between."""


async def overwrite(server: Server, doors: Doors, command: str, kinds: Collection[str]) -> None:
    """All keys of these kinds hold something else now."""
    by_kind = await keys_by_kind(server, doors.who, doors.api.url.removeprefix("http://"))
    for kind in sorted(kinds):
        assert kind in by_kind, f"there is no {kind}"
        for key in by_kind[kind]:
            await server.ask("EVAL", OVERWRITE, 1, key, command)


OF_BOARDS = sorted(kind for kind in KINDS if kind.startswith(BOARD))
OTHERS = KINDS - set(OF_BOARDS)
TURNS = {
    "SET": [OTHERS, *({kind} for kind in OF_BOARDS[::2])],
    "RPUSH": [OTHERS, *({kind} for kind in OF_BOARDS[1::2])],
}


@pytest.mark.family(1)
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("command", "turns"),
    [
        pytest.param("SET", TURNS["SET"], id="a text"),
        pytest.param("RPUSH", TURNS["RPUSH"], id="a list"),
        pytest.param("SET", [{kind} for kind in sorted(KINDS)], id="a text, one by one", marks=pytest.mark.soak),
        pytest.param("RPUSH", [{kind} for kind in sorted(KINDS)], id="a list, one by one", marks=pytest.mark.soak),
    ],
)
async def test_keys_that_hold_something_else_count_as_lost(
    settings: Settings, tmp_path: Path, command: str, turns: Sequence[Collection[str]]
) -> None:
    async with alone(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        doors = await prepared(all_of)
        for kinds in turns:
            await overwrite(redis.servers[0], doors, command, kinds)
            await wait_until(doors.work, 30, f"everything works after {sorted(kinds)}")
