"""Pages of other origins: those of the settings may use HTTP and sockets, and no other changes anything."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError
from pydantic import ValidationError

from gameserver.config.deployment import NodeSettings
from gameserver.config.settings import Settings
from tests.support.client import Answer, Api
from tests.support.nodes import start_node
from tests.transport.doors import assert_problem, unchanged

LISTED = ("https://game.example", "https://*.itch.zone", "http://localhost:5173")
ADMITTED = ("https://game.example", "https://html-classic.itch.zone", "https://a.b.itch.zone", "http://localhost:5173")
FOREIGN = (
    "https://evil.example",
    "null",
    "https://itch.zone",
    "https://evilitch.zone",
    "https://x.itch.zone.evil.example",
    "http://a.itch.zone",
    "http://localhost:5174",
    "https://game.example:8443",
    "https://gameXexample",
    "http://[",
)
PREFLIGHT: dict[str, Any] = {
    "Access_Control_Request_Method": "POST",
    "Access_Control_Request_Headers": "authorization,content-type",
}


async def node_for(stack: AsyncExitStack, settings: Settings, origins: tuple[str, ...]) -> Api:
    node = settings.node.model_copy(update={"origins": origins})
    started = await start_node(stack, settings.model_copy(update={"node": node}))
    return await stack.enter_async_context(Api(started.url))


@pytest.fixture
async def web_api(settings: Settings) -> AsyncIterator[Api]:
    async with AsyncExitStack() as stack:
        yield await node_for(stack, settings, LISTED)


def allowed(answer: Answer) -> str | None:
    value = answer.headers.get("Access-Control-Allow-Origin")
    return None if value is None else str(value)


async def test_pages_of_the_settings_origins_read_every_answer_and_no_other_page_does(web_api: Api) -> None:
    who = await web_api.sign_up()
    requests: tuple[tuple[str, str, str | None, Any, int], ...] = (
        ("GET", "/v1/players/me", who.token, None, 200),
        ("POST", "/v1/players/me/actions", who.token, {"action": "rest"}, 409),
        ("GET", "/v1/players/me", None, None, 401),
        ("GET", "/v1/nope", None, None, 404),
        ("PUT", "/v1/players", None, None, 405),
        ("POST", "/v1/players", None, {}, 422),
    )
    for method, path, token, body, status in requests:
        for origin in (*ADMITTED, *FOREIGN):
            answer = await web_api.ask(method, path, token=token, body=body, Origin=origin)
            assert answer.status == status, (path, answer.body)
            assert allowed(answer) == (origin if origin in ADMITTED else None), (path, origin)
            assert "Origin" in answer.headers["Vary"], "a cache must not give one page's answer to another"
            assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_preflight_is_answered_on_every_path(web_api: Api) -> None:
    for path in ("/v1/players", "/v1/players/me/actions", "/v1/players/me/friends/7", "/v1/nope"):
        for origin in ADMITTED:
            answer = await web_api.ask("OPTIONS", path, Origin=origin, **PREFLIGHT)
            assert (answer.status, allowed(answer)) == (204, origin), path
            assert {"GET", "POST", "PUT", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
            headers = answer.headers["Access-Control-Allow-Headers"].lower()
            assert all(name in headers for name in ("authorization", "content-type", "idempotency-key", "traceparent"))
        for origin in FOREIGN:
            answer = await web_api.ask("OPTIONS", path, Origin=origin, **PREFLIGHT)
            assert_problem(answer, "forbidden", origin)
            assert allowed(answer) is None


async def test_sockets_obey_the_same_list(web_api: Api) -> None:
    for origin in ADMITTED:
        await (await web_api.raw_socket(Origin=origin)).close()
    for origin in FOREIGN:
        with pytest.raises(WSServerHandshakeError) as caught:
            await web_api.raw_socket(Origin=origin)
        assert caught.value.status == 403, origin


async def test_a_star_lets_every_page_in(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        api = await node_for(stack, settings, ("*",))
        for origin in ("https://evil.example", "null"):
            assert allowed(await api.ask("GET", "/v1/classes", Origin=origin)) == "*"
            assert (await api.ask("OPTIONS", "/v1/players", Origin=origin, **PREFLIGHT)).status == 204
            await (await api.raw_socket(Origin=origin)).close()


@pytest.mark.parametrize(
    "origin",
    ["", "**", "https://game.example/", "https://game.example/play", "game.example", "https://Game.example",
     "https://*", "https://*.*.zone", "https://g*.itch.zone", "https://itch.*", "https://game.example:443",
     "http://game.example:80", "https://game.example:0", "https://game.example:70000", "https://a@game.example",
     "https://game.example?x", " https://game.example", "null", "https://"],
)  # fmt: skip
def test_an_origin_that_no_browser_sends_keeps_a_node_from_starting(origin: str) -> None:
    with pytest.raises(ValidationError) as refused:
        NodeSettings(origins=(origin,))
    assert refused.value.errors()[0]["loc"] == ("origins", 0)


async def test_a_body_of_another_type_is_refused_and_changes_nothing(api: Api) -> None:
    who = await api.sign_up()
    body = b'{"name": "Made by a page", "class": "mage", "device": "9daab80fba067ea4ff33ba022cc7fc15"}'
    types = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json",
             "application/json; charset=latin-1", "application/json, text/plain", "application/jsonp",
             "application/json" + "; " * 40 + "x")  # fmt: skip
    async with unchanged(api, who):
        for given in types:
            for origin in ("https://evil.example", api.url):
                answer = await api.ask("POST", "/v1/players", data=body, Content_Type=given, Origin=origin)
                assert_problem(answer, "unsupported_media_type", given)
    for number, given in enumerate(("application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"')):
        made = body.replace(b"page", b"page%d" % number).replace(b"9daab", b"8caa%d" % number)
        assert (await api.ask("POST", "/v1/players", data=made, Content_Type=given)).status == 201, given
