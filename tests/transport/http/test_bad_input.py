"""Requests that no client should send: each gets its documented error, and changes nothing."""

import json
import zlib
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from gameserver.transport.http import inputs
from tests.support.client import Api
from tests.transport.doors import Door, assert_problem, fields_of, raw_status, unchanged
from tests.transport.samples import ACTIONS, HUNT, LARGEST, NOT_JSON, NUMBERS, SIGN_INS, SIGN_UP, SIGN_UPS


async def test_an_invalid_action_is_refused_and_changes_nothing(door: Door) -> None:
    async with unchanged(door.api, door.who):
        for request, code, fields in ACTIONS:
            error = await door.act(request)
            assert error.get("code") == code, (request, error)
            assert set(fields) <= set(fields_of(error)), (request, error)


async def test_a_body_that_is_no_json_object_is_refused_and_changes_nothing(api: Api) -> None:
    who = await api.sign_up()
    async with unchanged(api, who):
        for sent in (b"", b"\xff\xfe{}", b'{"action":"\xc3\x28"}', *(text.encode() for text in NOT_JSON)):
            for path in ("/v1/players/me/actions", "/v1/players", "/v1/sessions"):
                answer = await api.ask("POST", path, token=who.token, data=sent)
                assert_problem(answer, "bad_json", (path, sent[:60]))


async def test_a_body_over_16_kib_is_refused_and_one_of_16_kib_is_read(api: Api) -> None:
    who = await api.sign_up()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(1024):
            yield b" " * 1024

    async with unchanged(api, who):
        bodies: tuple[bytes | AsyncIterator[bytes], ...] = (b"[" * (1 << 20), b" " * (LARGEST + 1), chunks())
        for sent in bodies:
            answer = await api.ask("POST", "/v1/players/me/actions", token=who.token, data=sent)
            assert_problem(answer, "too_large")
    full = json.dumps(HUNT).encode().ljust(LARGEST)
    assert (await api.ask("POST", "/v1/players/me/actions", token=who.token, data=full)).status == 200


async def test_a_compressed_body_is_refused_however_small_or_broken(api: Api) -> None:
    who = await api.sign_up()
    async with unchanged(api, who):
        for sent in (zlib.compress(json.dumps(HUNT).encode()), zlib.compress(b" " * (1 << 22)), b"\x00garbage"):
            for encoding in ("gzip", "deflate", "br"):
                answer = await api.ask(
                    "POST", "/v1/players/me/actions", token=who.token, data=sent, Content_Encoding=encoding
                )
                assert_problem(answer, "unsupported_media_type", encoding)


async def test_numbers_out_of_their_range_are_refused_in_queries(api: Api) -> None:
    who = await api.sign_up()
    numbers = [text for text in map(str, NUMBERS) if text != "7"]
    not_ids = [
        str(2**70),
        str(2**63),
        "-1",
        "1.5",
        "nan",
        "True",
        "None",
        "[]",
        "",
        "1,,2",
        "%00",
        "１",
        ",".join(["1"] * 101),
    ]
    paths = [
        *(f"/v1/boards/exp?limit={text}" for text in [*numbers, "0", "201", "9" * 5000]),
        *(f"/v1/boards/exp/around/me?radius={text}" for text in [*numbers, "101"]),
        *(f"/v1/boards/exp/around/{text}" for text in ("-1", "NaN", str(2**63), str(2**70), "%00", "1.5")),
        *(f"/v1/players/me/ledger?limit={text}" for text in [*numbers, "0", "201"]),
        *(f"/v1/players?ids={not_id}" for not_id in not_ids),
        *(f"/v1/boards/exp/ranks?ids={not_id}" for not_id in not_ids),
        *(f"/v1/players/{text}" for text in ("0", "-1", "NaN", str(2**63), str(2**70), "1.5", "%00", "%F0%9F%90%89")),
        *(f"/v1/boards/exp?cursor={text}" for text in ("", "x", "exp~1~zz", f"exp~{2**70}~00", "%00", "a" * 257)),
        *(f"/v1/players/me/ledger?cursor={text}" for text in ("x", "%00", "0" * 36)),
        "/v1/boards/exp?limit=1&limit=2",
        "/v1/boards/exp?season=2",
        "/v1/boards/exp?%00=1",
        "/v1/boards/exp?%ED%A0%80=1&%ED%A0%80=2",
        "/v1/players",
        "/v1/players/me?fields=hp",
        "/v1/actions?limit=1",
        "/v1/sessions?all=1",
    ]
    for path in paths:
        assert_problem(await api.ask("GET", path, token=who.token), "bad_input", path)
    for number in (2**63 - 1, 1, 10**18 + 7):
        assert_problem(await api.ask("GET", f"/v1/players/{number}", token=who.token), "player_not_found", number)
        assert (await api.ask("GET", f"/v1/players?ids={number}", token=who.token)).body == {"players": []}
    assert_problem(await api.ask("GET", "/v1/boards/nope"), "board_not_found")
    assert_problem(await api.ask("GET", "/v1/boards/%00"), "board_not_found")


async def test_a_sign_up_with_wrong_fields_is_refused_and_makes_no_player(api: Api) -> None:
    who = await api.sign_up()
    async with unchanged(api, who):
        for wrong, code, fields in SIGN_UPS:
            answer = await api.ask("POST", "/v1/players", data=json.dumps({**SIGN_UP, **wrong}).encode())
            assert_problem(answer, code, wrong)
            assert set(fields) <= set(fields_of(answer.body)), (wrong, answer.body)
    assert (await api.ask("POST", "/v1/players", body=SIGN_UP)).status == 201, "the name and the device are free still"


async def test_a_sign_in_with_wrong_fields_is_refused(api: Api) -> None:
    for wrong in SIGN_INS:
        answer = await api.ask("POST", "/v1/sessions", data=json.dumps(wrong).encode())
        assert_problem(answer, "bad_input", wrong)
        assert fields_of(answer.body)
    for unknown in ({"device": "\0"}, {"name": "\0", "password": "\0"}, {"name": "n" * 1000, "password": "p"}):
        assert_problem(await api.ask("POST", "/v1/sessions", body=unknown), "wrong_credentials", unknown)


async def test_many_faults_are_answered_with_a_few(door: Door) -> None:
    error = await door.act({**HUNT, **{f"x{number}" * 20: 1 for number in range(150)}})
    assert error["code"] == "bad_input"
    assert len(error["errors"]) == 20
    assert all(len(entry) <= 100 for entry in fields_of(error))


async def test_an_unknown_path_or_method_gets_an_error_of_the_same_form(api: Api) -> None:
    missing = ("/", "/v1/nope", "/v1/players/me/", "/v1/boards/exp/around", "/%00", "/v1/boards/a%2Fb/c")
    present = {"/v1/players": "PUT", "/v1/players/me": "PUT", "/v1/players/me/actions": "GET", "/live": "POST"}
    for method, path, code in (
        *(("GET", path, "not_found") for path in missing),
        *((method, path, "method_not_allowed") for path, method in present.items()),
    ):
        answer = await api.ask(method, path, X_Request_Id="mine-1")
        assert_problem(answer, code, path)
        assert answer.headers["X-Request-Id"] == "mine-1"
        assert ("Allow" in answer.headers) == (code == "method_not_allowed")
    for strange in ("x" * 65, "a b", "é"):
        assert (await api.ask("GET", "/live", X_Request_Id=strange)).headers["X-Request-Id"] not in ("", strange)


RAW = [
    b"GET //[ HTTP/1.1\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\n",
    b"GET /v1/boards/%ff%ed%a0%80 HTTP/1.1\r\n",
    b"GET /v1/boards/exp?\xff=\xff HTTP/1.1\r\n",
    b"GET http://[/v1/boards/exp HTTP/1.1\r\n",
    b"GET /v1/boards/exp HTTP/9.9\r\n",
    b"GET /v1/boards/" + b"x" * 20_000 + b" HTTP/1.1\r\n",
    b"BREW /v1/players HTTP/1.1\r\n",
    b"HEAD /v1/players HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET /v1/socket HTTP/1.1\r\nOrigin: http://[\r\n",
    b"GET /v1/socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n",
    b"POST /v1/players HTTP/1.1\r\nContent-Length: -1\r\n",
    b"POST /v1/players HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n",
    b"POST /v1/players HTTP/1.1\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\n\0garbage",
    b"POST /v1/players HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz",
    b"POST /v1/players HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz",
    b"POST /v1/players HTTP/1.1\r\nExpect: everything\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/players HTTP/1.1\r\nIdempotency-Key: \xff\r\nContent-Length: 2\r\n\r\n{}",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"\0" * 100,
]


async def test_a_body_that_doesnt_arrive_is_waited_for_no_longer_than_allowed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert inputs.BODY_SECONDS == 10
    monkeypatch.setattr(inputs, "BODY_SECONDS", 0.1)
    assert await raw_status(api.url, b"POST /v1/players HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{") == 408


async def test_no_bytes_cause_an_internal_error(api: Api) -> None:
    for sent in RAW:
        assert 400 <= await raw_status(api.url, sent + b"\r\nHost: x\r\n\r\n") < 500, sent[:80]


async def test_no_random_request_causes_an_internal_error(door: Door) -> None:
    random = Random(20_250_101)
    words: list[Any] = [*NUMBERS[:6], None, True, "", "hunt", "rest", "slime", "mage", "\0", "class", "foe", "🐉" * 50]
    fields = ["action", "args", "foe", "class", "name", "device", "password", "board", "limit", "token", "\0"]

    def value(depth: int) -> Any:
        match random.randrange(6 if depth else 4):
            case 4:
                return [value(depth - 1) for _ in range(random.randrange(3))]
            case 5:
                return {random.choice(fields): value(depth - 1) for _ in range(random.randrange(4))}
        return random.choice(words)

    for _ in range(150):
        request = {"action": random.choice(["hunt", "rest", "change_class", value(2)])} | {
            random.choice(fields): value(4) for _ in range(random.randrange(3))
        }
        result = await door.act(request)
        assert result.get("code") != "internal", request
    for path in ("/v1/players", "/v1/sessions"):
        for _ in range(100):
            request = {random.choice(fields): value(3) for _ in range(random.randrange(5))}
            answer = await door.api.ask("POST", path, data=json.dumps(request).encode())
            assert answer.status < 500, request
