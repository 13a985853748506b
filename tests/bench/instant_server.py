"""A server that answers every request of a bot at once, to measure the bots alone.

`python -m tests.bench.instant_server` prints its port. It keeps versions, so that bots find
nothing wrong; it plays no game, and is no model of one.
"""

import asyncio
import base64
import hashlib
import re
import sys
from itertools import count
from typing import cast

import orjson
import uvloop

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
REQUEST = re.compile(rb'"id":(\d+),"op":"(\w+)"')
COMMAND = re.compile(rb'"command_id":"([^"]+)"')
PLAYER = (
    b'{"id":"%d","name":"Bot","class":"warrior","level":1,"hp":100,"max_hp":100,"exp":%d,"version":%d,'
    b'"created_at":"2026-01-01T00:00:00.000Z","hp_percent":100,"title":"x"}'
)
EVENTS = b'[{"type":"won","foe":"slime","exp":5,"damage":3,"chance":80,"roll":17}]'
CATALOGUE = {
    b"/v1/actions": {
        "actions": [{"name": "hunt", "args": {"properties": {"foe": {"enum": ["slime"]}}, "required": ["foe"]}}]
    },
    b"/v1/classes": {"classes": [{"name": "warrior"}]},
    b"/v1/boards": {"boards": []},
}


class World:
    """Every player's version, by its number; the numbers by device; and what each command was answered."""

    def __init__(self) -> None:
        self.versions: dict[int, int] = {}
        self.devices: dict[bytes, int] = {}
        self.answers: dict[bytes, bytes] = {}
        self._numbers = count(1)

    def session(self, device: bytes) -> bytes:
        number = self.devices.setdefault(device, 0) or next(self._numbers)
        self.devices[device] = number
        version = self.versions.setdefault(number, 1)
        return b'{"player":%b,"session":{"token":"%d.x"}}' % (PLAYER % (number, version, version), number)

    def act(self, player: int, command: bytes) -> bytes:
        first = self.answers.get(command)
        if first is not None:
            return first + b',"replayed":true}'
        self.versions[player] += 1
        answer = self.read(player)[:-1] + b',"events":%b,"command_id":"%b"' % (EVENTS, command)
        self.answers[command] = answer
        return answer + b',"replayed":false}'

    def read(self, player: int) -> bytes:
        version = self.versions[player]
        return b'{"player":%b}' % (PLAYER % (player, version, version))


class Client(asyncio.Protocol):
    """One connection: HTTP until it is upgraded."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rest, self._upgraded, self._player = b"", False, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        while data:
            end = self._take_frame(data) if self._upgraded else self._take_http(data)
            if not end:
                break
            data = data[end:]
        self._rest = data

    def _take_http(self, data: bytes) -> int:
        head_end = data.find(b"\r\n\r\n") + 4
        if head_end < 4:
            return 0
        head = data[:head_end]
        key = re.search(rb"(?i)sec-websocket-key: (\S+)", head)
        if key is not None:
            accept = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
            self._write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: %b\r\nSec-WebSocket-Protocol: gameserver.v1\r\n\r\n" % accept
            )
            self._upgraded = True
            return head_end
        length = re.search(rb"(?i)content-length: (\d+)", head)
        whole = head_end + (int(length[1]) if length else 0)
        if len(data) < whole:
            return 0
        body = self._answer(head, data[head_end:whole])
        self._write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        return whole

    def _answer(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        if path in CATALOGUE:
            return orjson.dumps(CATALOGUE[path])
        if path in (b"/v1/players", b"/v1/sessions"):
            return self._world.session(orjson.loads(body)["device"].encode())
        token = re.search(rb"Bearer (\d+)", head)
        assert token is not None, path
        key = re.search(rb"(?i)idempotency-key: (\S+)", head)
        return self._world.read(int(token[1])) if key is None else self._world.act(int(token[1]), key[1])

    def _take_frame(self, data: bytes) -> int:
        if len(data) < 8:
            return 0
        length, start = data[1] & 0x7F, 6
        if length == 126:
            length, start = int.from_bytes(data[2:4]), 8
        end = start + length
        if len(data) < end:
            return 0
        if data[0] & 0x0F == 1:
            self._serve(data[start:end])
        return end

    def _serve(self, text: bytes) -> None:
        request = REQUEST.search(text)
        assert request is not None
        number, op = request[1], request[2]
        if op == b"hello":
            self._player = int(text.split(b'"token":"')[1].split(b".")[0])
        command = COMMAND.search(text)
        ok = self._world.read(self._player) if command is None else self._world.act(self._player, command[1])
        answer = b'{"id":%b,"ok":%b}' % (number, ok)
        self._write(b"\x81\x7e" + len(answer).to_bytes(2) + answer)


async def serve() -> None:
    world = World()
    server = await asyncio.get_running_loop().create_server(lambda: Client(world), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
