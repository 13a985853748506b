"""What requests and answers say in their headers: once each, HEAD like GET, cached or never, compressed or not."""

import gzip
import json
from typing import Any

import pytest
from aiohttp import ClientSession

from gameserver.transport.routes import ROUTES
from tests.support.client import ADMIN_KEY, Api, Signed, command_id
from tests.support.devices import device_of
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, fields_of, raw_answer, unchanged
from tests.transport.samples import HUNT

ACT = "/v1/players/me/actions"


@pytest.fixture
async def who(api: Api) -> Signed:
    """A player on the board."""
    signed = await api.sign_up()
    assert (await api.act(signed)).status == 200

    async def is_listed() -> bool:
        return (await api.ask("GET", f"/v1/boards/exp/ranks/{signed.id}")).status == 200

    await wait_until(is_listed, what="the player is on the board")
    return signed


async def test_head_is_answered_wherever_get_is_without_the_body(api: Api, who: Signed) -> None:
    for path in {route.path for route in ROUTES if route.method == "GET"} | {"/openapi.json"}:
        target = path.replace("{id}", who.id).replace("{board}", "exp")
        token = ADMIN_KEY if path.startswith("/admin/") else who.token
        target += f"?ids={who.id}" if path in ("/v1/players", "/v1/boards/{board}/ranks") else ""
        by_get, by_head = [await api.ask(method, target, token=token) for method in ("GET", "HEAD")]
        assert by_head.status == by_get.status, path
        assert by_head.headers["Content-Type"] == by_get.headers["Content-Type"], path
        assert not by_head.body, path


async def test_no_answer_is_stored_unless_it_says_so_itself(api: Api, who: Signed) -> None:
    body = {"name": "Nobody Stores", "class": "mage", "device": device_of("nobody")}
    signed_up = await api.ask("POST", "/v1/players", body=body)
    assert (signed_up.status, signed_up.headers["Cache-Control"]) == (201, "no-store")
    for path in ("/v1/players/me", "/v1/sessions", "/v1/players/me/ledger", "/v1/nothing", "/v1/boards/exp/ranks/me"):
        assert (await api.ask("GET", path, token=who.token)).headers["Cache-Control"] == "no-store", path
    assert (await api.ask("GET", "/v1/boards/exp")).headers["Cache-Control"] == "no-cache"
    assert b"no-store" in await raw_answer(api.url, b"GET / HTTP/1.1\r\nHost: x\r\nExpect: foo\r\n\r\n")


@pytest.mark.parametrize("name", ["Authorization", "Idempotency-Key", "X-Backend-Key", "Content-Type"])
async def test_a_header_that_counts_once_may_not_be_sent_twice(api: Api, name: str) -> None:
    player = await api.sign_up()
    headers = [
        ("Authorization", f"Bearer {player.token}"),
        ("Idempotency-Key", command_id()),
        ("Content-Type", "application/json"),
    ]
    first = dict(headers).get(name, "a-key")
    headers += [(name, first)] if name in dict(headers) else [(name, first), (name, first)]
    async with unchanged(api, player), ClientSession(api.url) as session:
        async with session.post(ACT, data=json.dumps(HUNT), headers=headers) as answer:
            body: dict[str, Any] = await answer.json(content_type="application/problem+json")
        assert (answer.status, body["code"]) == (400, "bad_request"), body
        assert name in body["detail"] or name == "Content-Type", "aiohttp itself refuses that one"


async def test_names_given_twice_are_refused_and_change_nothing(api: Api) -> None:
    player = await api.sign_up()
    async with unchanged(api, player):
        for text in (
            '{"action":"hunt","args":{"foe":"slime"},"action":"hunt"}',
            '{"action":"hunt","args":{"foe":"wolf","foe" : "slime"}}',
        ):
            answer = await api.ask("POST", ACT, token=player.token, data=text.encode())
            assert_problem(answer, "bad_json", text)
            assert "given twice" in answer.body["detail"]


async def test_an_entity_tag_is_compared_weakly_alone_in_lists_and_as_a_star(api: Api, who: Signed) -> None:
    async def status(known: str) -> int:
        return (await api.ask("GET", "/v1/boards/exp?limit=3", If_None_Match=known)).status

    etag = (await api.ask("GET", "/v1/boards/exp?limit=3")).headers["ETag"]
    assert etag.startswith('W/"')
    strong = etag.removeprefix("W/")
    for known in (etag, strong, f'"x", {strong}', f'W/"a,b",{etag} , "c"', "*"):
        assert await status(known) == 304, known
    for other in ('"x"', strong.strip('"'), strong[:-1], "", '"*"'):
        assert await status(other) == 200, other


async def test_a_key_in_quotes_is_the_same_key_and_another_version_is_told_what_to_send(api: Api) -> None:
    player, key = await api.sign_up(), command_id()
    first = await api.ask("POST", ACT, token=player.token, body=HUNT, key=key)
    again = await api.ask("POST", ACT, token=player.token, body=HUNT, key=f'"{key}"')
    assert (first.status, again.status, again.body["replayed"]) == (200, 200, True)
    assert again.body["command_id"] == key
    async with unchanged(api, player):
        for other in ("5d0c7a9e-4b1f-4c37-9f0a-2e6b8d13c5f4", f'"{key}', f"'{key}'", '""', '"'):
            refused = await api.ask("POST", ACT, token=player.token, body=HUNT, key=other)
            assert_problem(refused, "bad_input", other)
            assert fields_of(refused.body) == ["Idempotency-Key"]
            assert "milliseconds as 12 hexadecimal digits" in refused.body["detail"]


async def test_a_random_uuid_becomes_a_key_as_the_error_says(api: Api) -> None:
    player, random_uuid = await api.sign_up(), "5d0c7a9e-4b1f-4c37-9f0a-2e6b8d13c5f4"
    now = command_id()
    key = now[:14] + "7" + random_uuid[15:]
    assert [(await api.act(player, key=key)).body["replayed"] for _ in range(2)] == [False, True]


async def test_long_answers_without_tokens_are_compressed_for_clients_that_take_it(api: Api) -> None:
    player = await api.sign_up()
    async with ClientSession(api.url, auto_decompress=False) as session:

        async def get(path: str, coding: str | None) -> tuple[bytes, str | None]:
            headers = {"Authorization": f"Bearer {player.token}"}
            headers |= {} if coding is None else {"Accept-Encoding": coding}
            async with session.get(path, headers=headers, skip_auto_headers=["Accept-Encoding"]) as answer:
                assert answer.status == 200
                return await answer.read(), answer.headers.get("Content-Encoding")

        plain, coding_of_plain = await get("/openapi.json", None)
        assert coding_of_plain is None
        for coding in ("gzip", "deflate, gzip;q=0.5, br", "*", "GZIP", "identity;q=0.5, *;q=0.1"):
            body, used = await get("/openapi.json", coding)
            assert used == "gzip", coding
            assert gzip.decompress(body) == plain
            assert len(body) * 4 < len(plain)
        for coding in ("identity", "br", "gzip;q=0", "gzip;q=0.000, *;q=1", "*;q=0", ""):
            assert await get("/openapi.json", coding) == (plain, None), coding
        for path in (f"/v1/players?ids={player.id}", "/v1/sessions", "/v1/players/me"):
            assert (await get(path, "gzip"))[1] is None, path


async def test_a_boards_page_is_compressed_and_is_known_by_the_same_tag(api: Api) -> None:
    for _ in range(12):
        assert (await api.act(await api.sign_up())).status == 200

    async def is_long() -> bool:
        return len((await api.ask("GET", "/v1/boards/exp")).body["entries"]) >= 12

    await wait_until(is_long, what="twelve players are on the board")
    async with ClientSession(api.url, auto_decompress=False) as session:
        async with session.get("/v1/boards/exp", headers={"Accept-Encoding": "gzip"}) as answer:
            page = json.loads(gzip.decompress(await answer.read()))
            assert len(page["entries"]) >= 12
            assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == ("gzip", "Accept-Encoding")
        known = {"If-None-Match": answer.headers["ETag"], "Accept-Encoding": "identity"}
        async with session.get("/v1/boards/exp", headers=known) as answer:
            assert answer.status == 304


async def test_ids_have_one_spelling_and_count_once_on_every_route(api: Api, who: Signed) -> None:
    other = await api.sign_up()
    twice = f"?ids={who.id},{other.id},{who.id}"
    assert len((await api.ask("GET", "/v1/players" + twice, token=who.token)).body["players"]) == 2
    ranks = (await api.ask("GET", "/v1/boards/exp/ranks" + twice)).body
    assert len(ranks["entries"]) + len(ranks["not_on_board"]) == 2
    nodes = await api.ask("GET", "/admin/v1/nodes" + twice, token=ADMIN_KEY)
    assert [entry["id"] for entry in nodes.body["online"]] == [who.id, other.id]
    lists = ("/v1/players?ids=", "/v1/boards/exp/ranks?ids=", "/admin/v1/nodes?ids=")
    for path in (*lists, "/v1/players/", "/v1/boards/exp/around/", "/v1/boards/exp/ranks/"):
        token = ADMIN_KEY if path.startswith("/admin/") else who.token
        for text in ("0" + who.id, "0", "-1", "%2B1", "%201", "1.0", "1_0", str(2**63), "%EF%BC%99"):
            assert_problem(await api.ask("GET", path + text, token=token), "bad_input", path + text)
