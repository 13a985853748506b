"""Tokens that are refused at both doors: missing, wrong, expired, revoked."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from gameserver.config.sections import SessionSettings
from gameserver.config.settings import Settings
from tests.support.client import ADMIN_KEY, Api, Signed
from tests.support.nodes import start_node
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, closing_of, raw_status, unchanged

ROUTES = [
    ("GET", "/v1/players/me"),
    ("GET", "/v1/players/1"),
    ("GET", "/v1/players?ids=1"),
    ("GET", "/v1/players/me/ledger"),
    ("POST", "/v1/players/me/actions"),
    ("POST", "/v1/players/me/name"),
    ("DELETE", "/v1/players/me"),
    ("GET", "/v1/boards/exp/around/me"),
    ("GET", "/v1/sessions"),
    ("DELETE", "/v1/sessions/current"),
    ("DELETE", "/v1/sessions/0123456789abcdef"),
    ("POST", "/v1/players/me/password"),
    ("GET", "/v1/players/me/feed"),
    ("GET", "/v1/players/me/friends"),
    ("PUT", "/v1/players/me/friends/1"),
    ("DELETE", "/v1/players/me/friends/1"),
    ("GET", "/v1/boards/exp/friends"),
    ("DELETE", "/v1/sessions"),
]
ACT = {"action": "hunt", "args": {"foe": "slime"}}


def wrong_tokens(who: Signed, other: Signed) -> list[str]:
    """Tokens of no session, some of them nearly one."""
    secret = who.token.partition(".")[2]
    return [
        "x",
        ".",
        who.id,
        f"{who.id}.",
        f".{secret}",
        secret,
        f"{other.id}.{secret}",
        f"0{who.token}",
        f"-{who.token}",
        f"{who.token}x",
        f"{who.token}.x",
        who.token[:-1],
        who.token.swapcase(),
        f"{2**63}.{secret}",
        f"{2**70}.{secret}",
        f"{'9' * 200}.{secret}",
        f"１.{secret}",
        f"²{who.token}",
        "NaN.NaN",
        "é" * 40,
        "🐉",
        "x" * 256,
        "x" * 257,
        "x" * 8_000,
        ADMIN_KEY,
    ]


async def test_no_route_of_a_player_opens_without_a_token(api: Api) -> None:
    who = await api.sign_up()
    async with unchanged(api, who):
        for method, path in ROUTES:
            assert_problem(await api.ask(method, path, data=b"{}"), "not_authenticated", path)


async def test_a_wrong_token_opens_nothing_over_http(api: Api) -> None:
    who, other = await api.sign_up(), await api.sign_up()
    given = [f"Bearer {wrong_token}" for wrong_token in wrong_tokens(who, other)]
    given += ["", "Bearer", f"Basic {who.token}", who.token, f"Token {who.token}", f"Bearer {who.token} {who.token}"]
    async with unchanged(api, who):
        for header in given:
            answer = await api.ask("POST", "/v1/players/me/actions", body=ACT, Authorization=header)
            assert_problem(answer, "not_authenticated", header[:60])


async def test_a_wrong_token_opens_no_socket(api: Api) -> None:
    who, other = await api.sign_up(), await api.sign_up()
    async with unchanged(api, who):
        for token in [*wrong_tokens(who, other), "", "\0", f"{who.token}\0", f"\0{who.token}"]:
            code, close = await hello(api, token)
            expected = ("bad_input", 4400) if len(token) > 256 else ("not_authenticated", 4401)
            assert (code, close) == expected, ascii(token)[:60]


async def test_bytes_that_are_no_text_open_nothing(api: Api) -> None:
    head = b"GET /v1/players/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
    assert await raw_status(api.url, head + b"\xed\xa0\x80\xff\r\n\r\n") == 401, "a surrogate in UTF-8"
    assert await raw_status(api.url, head + b"\0\r\n\r\n") == 400, "no HTTP"
    assert await raw_status(api.url, head + b"x" * 100_000 + b"\r\n\r\n") == 431, "a header over 8 KiB"
    connection = await api.raw_socket()
    await connection.send_str('{"id":1,"op":"hello","token":"\\ud800"}')
    frames, closed = await closing_of(connection)
    assert (frames[0]["error"]["code"], closed) == ("bad_json", 4400)


@pytest.fixture
def short(settings: Settings) -> Settings:
    """The same deployment, whose sessions last a second."""
    brief = SessionSettings.model_construct(idle_seconds=60, longest_seconds=1, per_player=20)
    return settings.model_copy(update={"sessions": brief})


async def test_an_expired_token_opens_nothing(short: Settings) -> None:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api((await start_node(stack, short)).url))
        who = await api.sign_up()
        connection = (await api.socket(who.token)).connection

        async def is_refused() -> bool:
            return (await api.ask("GET", "/v1/players/me", token=who.token)).status == 401

        await wait_until(is_refused, what="the session has expired")
        assert_problem(await api.act(who), "not_authenticated")
        assert await hello(api, who.token) == ("not_authenticated", 4401)
        await connection.send_json({"id": 1, "op": "act", **ACT})
        frames, closed = await closing_of(connection)
        assert ([frame["error"]["code"] for frame in frames], closed) == (["not_authenticated"], 4409)


async def test_a_revoked_token_opens_nothing(api: Api) -> None:
    who = await api.sign_up()
    assert (await api.ask("DELETE", "/v1/sessions/current", token=who.token)).status == 204
    for method, path in ROUTES:
        body = ACT if method == "POST" else None
        assert_problem(await api.ask(method, path, token=who.token, body=body), "not_authenticated", path)
    assert await hello(api, who.token) == ("not_authenticated", 4401)


async def test_a_players_token_is_no_admin_key_and_an_admin_key_no_token(api: Api) -> None:
    who = await api.sign_up()
    for path in ("/admin/v1/stats", "/admin/v1/rankings"):
        assert_problem(await api.ask("GET", path), "not_authenticated")
        for key in (who.token, ADMIN_KEY + "x", ADMIN_KEY.upper(), "tester"):
            assert_problem(await api.ask("GET", path, token=key), "forbidden", key)
    assert_problem(await api.ask("GET", "/v1/players/me", token=ADMIN_KEY), "not_authenticated")


async def hello(api: Api, token: str) -> tuple[Any, int | None]:
    """The error's code and the closing code that a hello with this token gets."""
    connection = await api.raw_socket()
    await connection.send_json({"id": 1, "op": "hello", "token": token})
    ((frame, *_), closed) = await closing_of(connection)
    assert frame["id"] == 1
    return frame["error"]["code"], closed
