"""Limits at the doors: of sign-ups and sign-ins over all nodes, of play per node, and none for a back end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Literal

import pytest
from aiohttp import WSServerHandshakeError

from gameserver.commands import passwords
from gameserver.config.limits import LimitSettings, PerMinute, PerSecond
from gameserver.config.settings import Settings
from gameserver.rules.errors import Overloaded
from gameserver.transport.wire import Close
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, Socket, command_id
from tests.support.devices import device_of
from tests.support.nodes import start_node
from tests.transport.doors import Door, assert_problem, closing_of, on_another_port, unchanged
from tests.transport.samples import HUNT

KEY = "a-key-of-a-back-end-of-32-characters"
HOURLY = 1 / 60
Start = Callable[[Settings], Awaitable[Api]]
_numbers = iter(range(1_000_000))


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts nodes, and gives a client for each."""
    async with AsyncExitStack() as stack:

        async def started(settings: Settings) -> Api:
            return await stack.enter_async_context(Api((await start_node(stack, settings)).url))

        yield started


def limited(settings: Settings, proxies: tuple[str, ...] = (), **limits: Any) -> Settings:
    """The deployment with these limits, by default without exempt networks; all other limits are out of the way."""
    free = PerMinute(per_minute=1_000_000, burst=1_000_000)
    kinds = ("sign_ups_per_address", "sign_ins_per_address", "sign_ins_per_name", "wrong_keys_per_address")
    return settings.model_copy(
        update={
            "limits": LimitSettings(**{**dict.fromkeys(kinds, free), **limits}),
            "node": type(settings.node)(port=settings.node.port, drain_seconds=3, trusted_proxies=proxies),
            "backend": type(settings.backend)(keys={"shop": "x" * 32, "game": KEY}),
        }
    )


async def sign_up(api: Api, **headers: Any) -> Answer:
    number = next(_numbers)
    request = {"name": f"Newcomer {number}", "class": "mage", "device": device_of(f"newcomers-device-{number}")}
    return await api.ask("POST", "/v1/players", body=request, **headers)


async def sign_in(api: Api, device: str = "nobodys-device", **headers: Any) -> Answer:
    return await api.ask("POST", "/v1/sessions", body={"device": device}, **headers)


async def test_two_nodes_share_the_limits_of_sign_up_and_sign_in(settings: Settings, start: Start) -> None:
    few = PerMinute(per_minute=HOURLY, burst=5)
    own = limited(settings, sign_ups_per_address=few, sign_ins_per_address=few)
    nodes = [await start(own), await start(on_another_port(own))]
    made = await asyncio.gather(*(sign_up(api) for api in nodes * 8))
    assert sorted({answer.status for answer in made}) == [201, 429]
    assert [answer.status for answer in made].count(201) == 5
    assert (await nodes[0].admin("stats")).body["players"] == 5
    results = await asyncio.gather(*(sign_in(api) for api in nodes * 8))
    assert [result.code for result in results].count("wrong_credentials") == 5
    for answer in [*made, *results]:
        if answer.status == 429:
            assert_problem(answer, "rate_limited")
            assert 3500 < int(answer.headers["Retry-After"]) <= 3600


async def test_waiting_as_long_as_retry_after_says_admits(settings: Settings, start: Start) -> None:
    api = await start(limited(settings, sign_ins_per_address=PerMinute(per_minute=20, burst=2)))
    codes = [(await sign_in(api)).code for _ in range(2)]
    denied = await sign_in(api)
    assert [*codes, denied.code] == ["wrong_credentials"] * 2 + ["rate_limited"]
    assert 1 <= int(denied.headers["Retry-After"]) <= 3
    await asyncio.sleep(int(denied.headers["Retry-After"]))
    assert (await sign_in(api)).code == "wrong_credentials"


async def test_a_name_is_limited_from_every_address_and_hashes_no_password_then(
    settings: Settings, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = PerMinute(per_minute=HOURLY, burst=2)
    api = await start(limited(settings, proxies=("127.0.0.1",), sign_ins_per_name=few))

    async def enter(name: str, address: str) -> Answer:
        request = {"name": name, "password": "anns-password"}
        return await api.ask("POST", "/v1/sessions", body=request, X_Forwarded_For=address)

    for address in ("203.0.113.1", "203.0.113.2"):
        assert_problem(await enter("Ann Lee", address), "wrong_credentials")

    async def full(*_: object) -> None:
        raise Overloaded("No password is hashed now.", retry_after=1)

    monkeypatch.setattr(passwords.Passwords, "_run", full)
    for name in ("Ann Lee", "ANN LEE", " ann  lee"):
        assert_problem(await enter(name, "203.0.113.3"), "rate_limited", name)
    assert (await enter("Bea Lee", "203.0.113.3")).code == "overloaded", "this one would have been hashed"


async def test_a_denied_sign_up_claims_nothing(settings: Settings, start: Start) -> None:
    few = PerMinute(per_minute=HOURLY, burst=1)
    api = await start(limited(settings, sign_ups_per_address=few))
    who = await api.sign_up()
    request, key = {"name": "Ann Lee", "class": "mage", "device": device_of("anns-device")}, command_id()
    async with unchanged(api, who):
        assert_problem(await api.ask("POST", "/v1/players", body=request, key=key), "rate_limited")
    made = await api.ask("POST", "/v1/players", body=request, key=key, X_Backend_Key=KEY)
    assert (made.status, made.body["replayed"]) == (201, False)


async def test_what_a_client_writes_into_x_forwarded_for_gives_it_no_other_address(
    settings: Settings, start: Start
) -> None:
    few = PerMinute(per_minute=HOURLY, burst=2)
    direct = await start(limited(settings, sign_ins_per_address=few, exempt=("10.0.0.0/8",)))
    forged = ["203.0.113.1", "10.0.0.1", "127.0.0.1", "nonsense", "203.0.113.2, 10.0.0.1"]
    answers = [(await sign_in(direct, X_Forwarded_For=address)).status for address in forged]
    assert answers == [401, 401, 429, 429, 429], "without a proxy the header says nothing"

    own = limited(on_another_port(settings), ("127.0.0.1",), sign_ins_per_address=few, exempt=("10.0.0.0/8",))
    behind = await start(own)
    answers = [(await sign_in(behind, X_Forwarded_For=f"{address}, 203.0.113.9")).status for address in forged]
    assert answers == [401, 401, 429, 429, 429], "behind one, what it appended counts"
    assert (await sign_in(behind, X_Forwarded_For="203.0.113.8")).status == 401, "another client of the proxy"
    for host in range(1, 4):
        answer = await sign_in(behind, X_Forwarded_For=f"2001:db8::{host}")
        assert answer.status == (401 if host < 3 else 429), "one /64"


async def test_exempt_networks_sign_up_and_in_without_limits(settings: Settings, start: Start) -> None:
    one = PerMinute(per_minute=HOURLY, burst=1)
    strict: dict[str, Any] = {"sign_ups_per_address": one, "sign_ins_per_address": one, "sign_ins_per_name": one}
    api = await start(limited(settings, ("127.0.0.1",), **strict, exempt=("10.0.0.0/8", "127.0.0.0/8")))
    for address in ("10.1.2.3", "127.0.0.1"):
        assert {(await sign_up(api, X_Forwarded_For=address)).status for _ in range(3)} == {201}
        assert {(await sign_in(api, X_Forwarded_For=address)).status for _ in range(3)} == {401}
    assert [(await sign_in(api, X_Forwarded_For="203.0.113.9")).status for _ in range(2)] == [401, 429]


@pytest.mark.parametrize("kind", ["http", "socket"])
async def test_a_players_actions_are_limited_at_both_doors(
    settings: Settings, start: Start, kind: Literal["http", "socket"]
) -> None:
    api = await start(limited(settings, actions_per_player=PerSecond(per_second=0.01, burst=3)))
    who, other = await api.sign_up(), await api.sign_up()
    door = Door(kind, api, who)
    answers = [await door.act(HUNT) for _ in range(3)]
    assert [entry["player"]["version"] for entry in answers] == [2, 3, 4]
    async with unchanged(api, who):
        key = command_id()
        assert (await door.act(HUNT, key))["code"] == "rate_limited"
        assert (await Door("http", api, who).act(HUNT))["code"] == "rate_limited", "one limit for both doors"
    assert "player" in await Door(kind, api, other).act(HUNT), "each player has its own limit"


async def test_the_sockets_that_a_player_opens_are_limited_and_those_that_are_open_play_on(
    settings: Settings, start: Start
) -> None:
    api = await start(limited(settings, hellos_per_player=PerMinute(per_minute=1, burst=3)))
    who, other = await api.sign_up(), await api.sign_up()
    opened = [await api.socket(who.token) for _ in range(3)]
    refused = Socket(await api.raw_socket())
    assert (await refused.ask("hello", token=who.token))["error"]["code"] == "rate_limited"
    assert (await refused.connection.receive(timeout=10)).data == Close.TOO_MANY
    assert [list(await one.ask("read"))[1] for one in opened] == ["ok"] * 3
    assert "ok" in await (await api.socket(other.token)).ask("read"), "each player has its own limit"


async def test_an_address_whose_sockets_have_to_be_ended_gets_no_more_for_a_while_and_plays_on_over_http(
    settings: Settings, start: Start
) -> None:
    few = PerSecond(per_second=0.01, burst=3)
    limits = {"frames_per_socket": few, "ended_sockets_per_address": PerMinute(per_minute=1, burst=2)}
    api = await start(limited(settings, ("127.0.0.1",), **limits))
    hostile, honest = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
    who = await api.sign_up()
    open_before = await api.socket(who.token)
    for _ in range(3):
        flood = await api.raw_socket(**hostile)
        await flood.send_json({"id": 0, "op": "hello", "token": who.token})
        for number in range(1, 4):
            await flood.send_json({"id": number, "op": "ping"})
        assert (await closing_of(flood))[1] == Close.TOO_MANY
    with pytest.raises(WSServerHandshakeError) as caught:
        await api.raw_socket(**hostile)
    assert caught.value.status == 429
    assert (await api.act(who)).status == 200
    assert "ok" in await open_before.ask("read")
    await api.raw_socket(**honest)


async def test_a_client_that_opens_socket_after_socket_bars_nobody_else_at_its_address(
    settings: Settings, start: Start
) -> None:
    once = PerMinute(per_minute=1, burst=1)
    api = await start(limited(settings, hellos_per_player=once, ended_sockets_per_address=once))
    careless, other = await api.sign_up(), await api.sign_up()
    await api.socket(careless.token)
    for _ in range(3):
        refused = Socket(await api.raw_socket())
        assert (await refused.ask("hello", token=careless.token))["error"]["code"] == "rate_limited"
        assert (await refused.connection.receive(timeout=10)).data == Close.TOO_MANY
    assert "ok" in await (await api.socket(other.token)).ask("read")


async def test_what_a_player_does_over_a_long_time_is_limited_too(settings: Settings, start: Start) -> None:
    api = await start(limited(settings, steady_actions_per_player=PerMinute(per_minute=1, burst=3)))
    who = await api.sign_up()
    answers = [await api.act(who) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert "over a long time" in answers[-1].body["detail"]
    assert int(answers[-1].headers["Retry-After"]) > 50


async def test_a_denied_action_says_when_to_retry_and_then_takes_effect(settings: Settings, start: Start) -> None:
    api = await start(limited(settings, actions_per_player=PerSecond(per_second=0.5, burst=1)))
    who = await api.sign_up()
    socket = await api.socket(who.token)
    key = command_id()
    assert "ok" in await socket.ask("act", **HUNT)
    over_socket = (await socket.ask("act", command_id=key, **HUNT))["error"]
    assert (over_socket["code"], 0 < over_socket["retry_after"] <= 2) == ("rate_limited", True)
    over_http = await api.act(who)
    assert_problem(over_http, "rate_limited")
    assert over_http.headers["Retry-After"] in ("1", "2")
    await asyncio.sleep(over_socket["retry_after"])
    assert (await socket.ask("act", command_id=key, **HUNT))["ok"]["replayed"] is False


async def test_a_socket_that_sends_too_many_frames_gets_an_error_and_is_closed(
    settings: Settings, start: Start
) -> None:
    api = await start(limited(settings, frames_per_socket=PerSecond(per_second=0.01, burst=5)))
    who = await api.sign_up()
    for frame in ({"op": "ping"}, {"op": "nonsense"}):
        connection = (await api.socket(who.token)).connection
        for number in range(6):
            await connection.send_json({"id": number, **frame})
        frames, closed = await closing_of(connection)
        assert sorted(frame["id"] for frame in frames if frame["id"] is not None) == [0, 1, 2, 3], "hello counts"
        (error,) = [frame["error"] for frame in frames if frame["id"] is None]
        assert (error["code"], closed) == ("too_many_messages", 4429)
        assert error["detail"].endswith(".")


async def test_a_back_ends_key_lifts_every_limit(settings: Settings, start: Start) -> None:
    one, rare = PerMinute(per_minute=HOURLY, burst=1), PerSecond(per_second=0.01, burst=1)
    strict: dict[str, Any] = {"sign_ups_per_address": one, "sign_ins_per_address": one, "sign_ins_per_name": one}
    api = await start(limited(settings, **strict, actions_per_player=rare, frames_per_socket=rare))
    made = [await sign_up(api, X_Backend_Key=KEY) for _ in range(3)]
    assert {answer.status for answer in made} == {201}
    assert {(await sign_in(api, X_Backend_Key="x" * 32)).status for _ in range(3)} == {401}
    token, act = made[0].body["session"]["token"], "/v1/players/me/actions"
    acted = [await api.ask("POST", act, token=token, body=HUNT, X_Backend_Key=KEY) for _ in range(3)]
    assert {answer.status for answer in acted} == {200}
    connection = await api.raw_socket(**{"X-Backend-Key": KEY})
    await connection.send_json({"id": 0, "op": "hello", "token": token})
    for number in range(1, 4):
        await connection.send_json({"id": number, "op": "act", **HUNT})
    answers = [await connection.receive_json(timeout=10) for _ in range(4)]
    assert all("ok" in entry for entry in answers), answers
    assert (await sign_up(api)).status == 201, "what a back end does counts against nobody"
    assert (await sign_up(api)).status == 429


async def test_a_wrong_back_ends_key_is_refused_everywhere(settings: Settings, start: Start) -> None:
    api = await start(limited(settings))
    who = await api.sign_up()
    async with unchanged(api, who):
        for wrong in (KEY + "x", KEY[:-1], KEY.upper(), "game", "x", ADMIN_KEY, who.token, "é" * 32, "x" * 5000):
            for answer in (
                await sign_up(api, X_Backend_Key=wrong),
                await sign_in(api, X_Backend_Key=wrong),
                await api.ask("GET", "/v1/players/me", token=who.token, X_Backend_Key=wrong),
                await api.ask("POST", "/v1/players/me/actions", token=who.token, body=HUNT, X_Backend_Key=wrong),
                await api.ask("GET", "/admin/v1/stats", token=ADMIN_KEY, X_Backend_Key=wrong),
                await api.ask("GET", "/nowhere", X_Backend_Key=wrong),
            ):
                assert_problem(answer, "not_authenticated", wrong[:50])
            with pytest.raises(WSServerHandshakeError) as caught:
                await api.raw_socket(**{"X-Backend-Key": wrong})
            assert caught.value.status == 401
    for path in ("/v1/players/me", "/admin/v1/stats"):
        assert (await api.ask("GET", path, X_Backend_Key=KEY)).status == 401, "it opens nothing by itself"
        assert (await api.ask("GET", path, token=KEY)).status in (401, 403)


async def test_denials_are_counted_by_their_limit(settings: Settings, start: Start) -> None:
    one, rare = PerMinute(per_minute=HOURLY, burst=1), PerSecond(per_second=0.01, burst=1)
    own = limited(settings, sign_ups_per_address=one, sign_ins_per_name=one, actions_per_player=rare)
    api = await start(own)
    who = await api.sign_up()
    before = await denials(api)
    credentials = {"name": "Ann Lee", "password": "anns-password"}
    for _ in range(3):
        await sign_up(api)
        await api.ask("POST", "/v1/sessions", body=credentials)
        await api.act(who)
    now = await denials(api)
    by_name = {name: now[name] - before.get(name, 0) for name in now if now[name] != before.get(name, 0)}
    assert by_name == {"sign_ups_per_address": 3, "sign_ins_per_name": 2, "actions_per_player": 2}


async def denials(api: Api) -> dict[str, float]:
    lines = (await api.ask("GET", "/metrics")).body.decode().splitlines()
    rows = [line.split() for line in lines if line.startswith("gameserver_denied_total{")]
    return {name.split('"')[1]: float(count) for name, count in rows}


async def test_ping_frames_count_as_frames_and_are_answered(settings: Settings, start: Start) -> None:
    api = await start(limited(settings, frames_per_socket=PerSecond(per_second=0.01, burst=5)))
    connection = (await api.socket((await api.sign_up()).token)).connection
    for number in range(6):
        await connection.ping(str(number).encode())
    frames, closed = await closing_of(connection)
    assert ([frame["error"]["code"] for frame in frames], closed) == (["too_many_messages"], 4429)


async def test_a_player_seeks_sessions_to_end_no_faster_than_it_lists_them_and_always_ends_its_own(
    settings: Settings, start: Start
) -> None:
    api = await start(limited(settings, reads_per_player=PerSecond(per_second=HOURLY / 60, burst=2)))
    who = await api.sign_up()
    sought = [await api.ask("DELETE", f"/v1/sessions/{'0' * 16}", token=who.token) for _ in range(3)]
    assert [answer.code for answer in sought] == ["session_not_found", "session_not_found", "rate_limited"]
    assert (await api.ask("DELETE", "/v1/sessions/current", token=who.token)).status == 204


@pytest.mark.parametrize(
    ("limit", "method", "path"),
    [
        ("reads_per_player", "GET", "/v1/players/me/ledger"),
        ("reads_per_player", "GET", "/v1/players/me/inbox"),
        ("reads_per_player", "GET", "/v1/sessions"),
        ("list_changes_per_player", "PUT", "/v1/players/me/blocks/{}"),
        ("list_changes_per_player", "DELETE", "/v1/players/me/inbox"),
        ("key_changes_per_player", "POST", "/v1/players/me/name"),
        ("key_changes_per_player", "POST", "/v1/players/me/devices"),
    ],
)
async def test_a_players_reads_and_changes_are_limited_on_each_node_and_a_back_ends_are_not(
    settings: Settings, start: Start, limit: str, method: str, path: str
) -> None:
    few = {"reads_per_player": PerSecond(per_second=HOURLY / 60, burst=2)}.get(limit)
    chosen: dict[str, Any] = {limit: few or PerMinute(per_minute=HOURLY, burst=2)}
    api = await start(limited(settings, **chosen))
    who, other = await api.sign_up(), await api.sign_up()
    bodies: dict[str, Any] = {"name": lambda: {"name": f"Renamed {next(_numbers)}"},
                              "devices": lambda: {"device": device_of(f"another {next(_numbers)}")}}  # fmt: skip

    async def ask(player: Signed, **headers: Any) -> Answer:
        body = bodies[path.rsplit("/", 1)[1]]() if method == "POST" else None
        return await api.ask(method, path.format(other.id), token=player.token, body=body, key=command_id(), **headers)

    assert [(await ask(who)).status < 300 for _ in range(2)] == [True, True]
    denied = await ask(who)
    assert_problem(denied, "rate_limited")
    assert (await ask(who, X_Backend_Key=KEY)).status < 300
    if "blocks" not in path:
        assert (await ask(other)).status < 300, "another player has an allowance of its own"
    assert (await api.act(who)).status == 200
