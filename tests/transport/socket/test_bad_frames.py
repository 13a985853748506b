"""Frames that no client should send: each gets its documented error or closing code, and changes nothing."""

import json
from math import inf
from random import Random
from typing import Any

from tests.support.client import Api
from tests.transport.doors import Door, closing_of, fields_of, unchanged
from tests.transport.samples import HUNT, LARGEST, NOT_JSON, NUMBERS


async def test_a_frame_that_is_no_json_object_ends_the_socket_and_changes_nothing(api: Api) -> None:
    who = await api.sign_up()
    async with unchanged(api, who):
        for sent in ("", *NOT_JSON):
            connection = (await api.socket(who.token)).connection
            await connection.send_str(sent)
            frames, code = await closing_of(connection)
            assert [(frame["id"], frame["error"]["code"]) for frame in frames] == [(None, "bad_json")], sent[:60]
            assert code == 4400


async def test_a_frame_over_16_kib_ends_the_socket_and_one_of_16_kib_is_read(api: Api) -> None:
    who = await api.sign_up()
    frame = json.dumps({"id": 1, "op": "act", **HUNT})
    async with unchanged(api, who):
        for size in (LARGEST + 1, 1 << 20):
            connection = (await api.socket(who.token)).connection
            await connection.send_str(frame.ljust(size))
            assert await closing_of(connection) == ([], 1009)
    connection = (await api.socket(who.token)).connection
    await connection.send_str(frame.ljust(LARGEST))
    assert "ok" in await connection.receive_json(timeout=10)


async def test_garbage_frames_end_the_socket_and_change_nothing(api: Api) -> None:
    who = await api.sign_up()
    async with unchanged(api, who):
        for sent in (b"", b"\x00\xff" * 100, Random(7).randbytes(10_000), json.dumps({"id": 1, **HUNT}).encode()):
            connection = (await api.socket(who.token)).connection
            await connection.send_bytes(sent)
            frames, code = await closing_of(connection)
            assert [frame["error"]["code"] for frame in frames] == ["bad_json"]
            assert code == 4400
        connection = (await api.socket(who.token)).connection
        await connection._writer.send_frame(b"\xff\xfe", 1)
        assert (await closing_of(connection))[1] == 1007, "a text frame that isn't UTF-8"


UNUSABLE: list[dict[str, Any]] = [
    {"op": "fly"},
    {"op": ""},
    {"op": None},
    {"op": ["act"]},
    {"op": "hello", "token": "a second hello"},
    {"op": "act"},
    {"op": "act", "action": "rest", "token": "x"},
    {"op": "read", "player": "1"},
    {"op": "ping", "\0": 1},
    {"op": "board"},
    {"op": "board", "board": 7},
    {"op": "board", "board": ["exp"]},
    {"op": "board", "board": "exp", "cursor": "\0"},
    {"op": "board", "board": "exp", "season": "2"},
    {"op": "around", "board": "exp", "player": "1"},
]


async def test_a_frame_with_wrong_fields_is_refused_and_the_socket_stays_open(api: Api) -> None:
    """JSON has neither nan nor infinity (NOT_JSON), and null is the same as nothing."""
    door = Door("socket", api, await api.sign_up())
    async with unchanged(api, door.who):
        for frame in UNUSABLE:
            error = await door.frame(frame)
            assert error.get("code") == "bad_input", (frame, error)
            assert fields_of(error), frame
        for number in (value for value in NUMBERS if value is not None and value == value and value != inf):
            for op, field in (("board", "limit"), ("around", "radius")):
                error = await door.frame({"op": op, "board": "exp", field: number})
                assert (error.get("code"), fields_of(error)) == ("bad_input", [field]), number
        for board in ("nope", "\0"):
            assert (await door.frame({"op": "board", "board": board}))["code"] == "board_not_found"


async def test_a_frame_without_a_usable_id_is_refused_and_changes_nothing(api: Api) -> None:
    who = await api.sign_up()
    connection = (await api.socket(who.token)).connection
    async with unchanged(api, who):
        for given, expected in ((None, None), (1.5, None), ([], None), ("x" * 65, None), (2**63, 2**63), (-1, -1)):
            await connection.send_str(json.dumps({"id": given, "op": "act", **HUNT}))
            answer = await connection.receive_json(timeout=10)
            assert (answer["id"], answer["error"]["code"]) == (expected, "bad_input"), given
        await connection.send_str(json.dumps({"op": "act", **HUNT}))
        assert (await connection.receive_json(timeout=10))["error"]["code"] == "bad_input"


async def test_a_frame_before_hello_is_refused_and_changes_nothing(api: Api) -> None:
    who = await api.sign_up()
    hello = {"id": 1, "op": "hello", "token": who.token}
    cases: list[tuple[object, str, int]] = [
        ({"id": 1, "op": "act", **HUNT}, "not_authenticated", 4401),
        ({"id": 1, "op": "read", "token": who.token}, "not_authenticated", 4401),
        ({"id": 1, "op": ["hello"], "token": who.token}, "not_authenticated", 4401),
        ({"id": 1}, "not_authenticated", 4401),
        ({**hello, "player": who.id}, "bad_input", 4400),
        ({**hello, "token": 7}, "bad_input", 4400),
        ({**hello, "token": "x" * 257}, "bad_input", 4400),
        ({**hello, "resume": {"stream": "x", "seq": 2**70}}, "bad_input", 4400),
        ({"op": "hello", "token": who.token}, "bad_input", 4400),
        ("[" * 8_000, "bad_json", 4400),
        (b"\x00\xff", "bad_json", 4400),
    ]
    async with unchanged(api, who):
        for sent, code, close in cases:
            connection = await api.raw_socket()
            if isinstance(sent, bytes):
                await connection.send_bytes(sent)
            else:
                await connection.send_str(sent if isinstance(sent, str) else json.dumps(sent))
            frames, closed = await closing_of(connection)
            assert ([frame["error"]["code"] for frame in frames], closed) == ([code], close), sent
