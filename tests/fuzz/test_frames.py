"""Sockets under bytes that aren't the protocol: each connection ends in time, and nothing is changed."""

import asyncio
import base64
import time
from random import Random
from urllib.parse import urlsplit

import pytest

from bots.wire.rawsocket import frame
from tests.fuzz.fuzzed import DURATION, SEED, FuzzedNode
from tests.fuzz.hostile import FRAME_OPS, bad_act, bad_json, bad_object, bad_value

AT_ONCE = 16
SECONDS = 20.0
"""Within which a connection ends whose client has sent all it has to say."""
UPGRADE = (
    "GET /v1/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: gameserver.v1\r\n\r\n"
)


def bad_frame(random: Random) -> bytes:
    """A frame, or what looks like one, that must have no effect."""
    fields = {"id": 1, "op": random.choice(FRAME_OPS), **bad_act(random)}
    match random.randrange(8):
        case 0 | 1 | 2:
            return frame(bad_object(random, fields)[:16_000])
        case 3:
            return frame(bad_json(random, fields)[:16_000])
        case 4:
            return frame(bad_object(random, {"id": bad_value(random), "op": bad_value(random)})[:16_000])
        case 5:
            return _header(random) + random.randbytes(random.choice((0, 1, 125, 3000)))
        case 6:
            text = bad_object(random, fields)[:4000]
            return b"".join(_part(text[at : at + 700], at, len(text)) for at in range(0, len(text), 700))
        case _:
            return random.randbytes(random.randrange(1, 200))


def _header(random: Random) -> bytes:
    """Any opcode, flags and length, masked or not; the length needn't be true."""
    first, second = random.randrange(256), random.randrange(256)
    size = {126: 2, 127: 8}.get(second & 0x7F, 0)
    return bytes((first, second)) + random.randbytes(size + (4 if second & 0x80 else 0))


def _part(data: bytes, at: int, total: int) -> bytes:
    """A fragment of a text message, masked with zeros."""
    first = (0x01 if at == 0 else 0x00) | (0x80 if at + len(data) >= total else 0x00)
    return bytes((first, 0x80 | 126)) + len(data).to_bytes(2) + b"\0\0\0\0" + data


async def _converse(node: FuzzedNode, random: Random) -> int:
    """One connection: perhaps a hello, then bad frames, then no more; returns how many bytes the server sent."""
    address = urlsplit(node.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        async with asyncio.timeout(SECONDS):
            key = base64.b64encode(random.randbytes(16)).decode()
            writer.write(UPGRADE.format(key=key).encode())
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            if random.random() < 0.8:
                writer.write(frame(b'{"id":0,"op":"hello","token":"%s"}' % node.player.token.encode()))
            for _ in range(random.randrange(1, 12)):
                writer.write(bad_frame(random))
            writer.write_eof()
            received = await reader.read()
    except TimeoutError:
        raise
    except OSError:  # the server has cut the connection already
        return 0
    finally:
        writer.close()
    assert b'"code":"internal"' not in received
    assert b"\x88\x02\x03\xf3" not in received, "closed with 1011"
    return len(received)


async def _fuzz(node: FuzzedNode, seed: int, *, conversations: int, seconds: float) -> int:
    """As many conversations, or as long a time; returns how many there were."""
    before, ended, numbers = await node.digest(), time.monotonic() + seconds, iter(range(conversations))
    received = []

    async def work() -> None:
        for number in numbers:
            if time.monotonic() > ended:
                break
            received.append(await _converse(node, Random(f"{seed} {number}")))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(work())
    assert sum(size > 0 for size in received) > len(received) / 2
    await node.assert_well()
    assert await node.digest() == before
    return len(received)


async def test_bad_frames_end_their_sockets_and_change_nothing(fuzzed: FuzzedNode) -> None:
    assert await _fuzz(fuzzed, 1, conversations=600, seconds=60) == 600


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_bad_frames_change_nothing_for_long(fuzzed: FuzzedNode, capsys: pytest.CaptureFixture[str]) -> None:
    conversations = await _fuzz(fuzzed, SEED, conversations=1 << 62, seconds=DURATION / 2)
    with capsys.disabled():
        print(f"\n{conversations} sockets with bad frames")  # noqa: T201
