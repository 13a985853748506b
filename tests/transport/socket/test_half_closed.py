"""A client that shuts its sending side of a socket, as a pipe's end does, is answered all that it has asked."""

import asyncio
import json

import pytest

from gameserver.transport.http import connections
from tests.support.client import Api, Signed

UPGRADE = (
    b"GET /v1/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(value: object) -> bytes:
    """A masked text frame."""
    text = json.dumps(value).encode()
    return b"\x81\xfe" + len(text).to_bytes(2) + bytes(4) + text


def frames_in(raw: bytes) -> tuple[list[int], int | None]:
    """The ids that are answered, and the code of the close."""
    ids, code = list[int](), None
    while raw:
        length, start = raw[1], 2
        if length == 126:
            length, start = int.from_bytes(raw[2:4]), 4
        payload, kind, raw = raw[start : start + length], raw[0], raw[start + length :]
        if kind == 0x88:
            code = int.from_bytes(payload[:2])
        elif "id" in (said := json.loads(payload)):
            ids.append(said["id"])
    return ids, code


async def answered(api: Api, sent: bytes, wait_for_upgrade: bool) -> tuple[list[int], int | None]:
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(UPGRADE)
        if wait_for_upgrade:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.write(sent)
        writer.write_eof()
        if not wait_for_upgrade:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 101 ")
        return frames_in(await asyncio.wait_for(reader.read(), 5))
    finally:
        writer.close()
        await writer.wait_closed()


def asks(who: Signed, count: int) -> bytes:
    hello = {"id": 0, "op": "hello", "token": who.token}
    acts = [{"id": number, "op": "act", "action": "hunt", "args": {"foe": "slime"}} for number in range(1, count + 1)]
    return b"".join(map(frame, (hello, *acts)))


@pytest.mark.parametrize("wait_for_upgrade", [True, False])
async def test_all_that_was_asked_is_answered_before_the_close(api: Api, wait_for_upgrade: bool) -> None:
    for count in (0, 1, 50):
        ids, code = await answered(api, asks(await api.sign_up(), count), wait_for_upgrade)
        assert (sorted(ids), code) == (list(range(count + 1)), 1000)


async def test_nothing_and_half_a_frame_end_the_connection(api: Api) -> None:
    who = await api.sign_up()
    assert (await answered(api, b"", wait_for_upgrade=True))[0] == []
    assert (await answered(api, asks(who, 1)[:-3], wait_for_upgrade=True))[1] is None


async def test_it_is_answered_no_longer_than_allowed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connections.ANSWER_SECONDS == 10
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.0)
    ids, code = await answered(api, asks(await api.sign_up(), 50), wait_for_upgrade=True)
    assert (len(ids) < 51, code) == (True, None)
