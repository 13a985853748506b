"""Clients that don't read: what the node holds for them is bounded, and the others play on."""

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.config.limits import LimitSettings, PerSecond
from gameserver.config.sections import SocketSettings
from gameserver.config.settings import Settings
from gameserver.transport import wire
from gameserver.transport.http import connections
from gameserver.transport.socket import channel, conversation, operations
from gameserver.transport.socket.memory import HeldMemory, MemoryLimits
from tests.support.client import Api
from tests.support.nodes import start_node
from tests.support.wait import wait_until

HOSTILE = "127.0.0.66"
FRAMES, SHOWN = 100, 20
MIB = 1 << 20


class FakeSocket:
    def __init__(self, address: str | None) -> None:
        self.address, self.size, self.ends = address, 0, Counter[str]()

    def held(self) -> int:
        return self.size

    def end_slow(self) -> None:
        self.ends["slow"] += 1

    def cut(self) -> None:
        self.ends["cut"] += 1
        self.size = 0


HOLDING = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60)


@given(HOLDING)
def test_what_is_held_stays_within_every_bound(steps: list[tuple[int, int]]) -> None:
    memory = HeldMemory(MemoryLimits(30, 60, 100))
    sockets = [FakeSocket(["a", "a", "a", "b", "b", None][number % 6]) for number in range(10)]
    for number, size in steps:
        one = sockets[number]
        one.size = size
        memory.note(one)
        assert one.ends["slow"] >= (size > 30)
        by_address = Counter[str | None]()
        for each in sockets:
            by_address[each.address] += each.size
        assert all(held <= 60 for address, held in by_address.items() if address is not None)
        assert memory.total == sum(each.size for each in sockets) <= 100
    for each in sockets:
        memory.forget(each)
    assert memory.total == 0


def test_those_that_hold_most_are_cut_first_and_clients_that_have_read_since_are_spared() -> None:
    memory = HeldMemory(MemoryLimits(1000, 100, 150))
    slow, slower, quick, other = FakeSocket("a"), FakeSocket("a"), FakeSocket("a"), FakeSocket("b")
    for one, size in ((slow, 30), (quick, 60), (other, 45)):
        one.size = size
        memory.note(one)
    quick.size, slower.size = 0, 69
    memory.note(slower)
    assert not (slow.ends + slower.ends + quick.ends), "quick has read all of its 60 meanwhile"
    slow.size = 40
    memory.note(slow)
    assert (slower.ends["cut"], slow.ends["cut"], other.ends["cut"]) == (1, 0, 0)
    assert memory.total == 85


class FakeTransport:
    """Holds what is written until it is read."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)

    def get_write_buffer_size(self) -> int:
        return self.size

    def is_closing(self) -> bool:
        return False


@pytest.mark.parametrize(("reads", "noted"), [(False, 1), (True, 0)])
async def test_one_large_write_counts_as_unread_unless_it_is_read_in_time(
    monkeypatch: pytest.MonkeyPatch, *, reads: bool, noted: int
) -> None:
    monkeypatch.setattr(channel, "LOOK_SECONDS", 0.02)
    notes, transport = list[None](), FakeTransport()
    written_to = channel.SocketChannel(lambda: notes.append(None))
    monkeypatch.setattr(written_to, "_transport", transport)
    written_to.send({"text": "x" * 2 * channel.KERNEL_BUFFER})
    await asyncio.sleep(0)
    assert (transport.size > channel.KERNEL_BUFFER, notes) == (True, [])
    if reads:
        transport.size = 0
    await wait_until(lambda: written_to._look is None, what="it was looked at")
    assert len(notes) == noted


def websocket(port: int, token: str, source: str = HOSTILE) -> socket.socket:
    """A client that has said hello, and reads nothing more by itself."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    connection.bind((source, 0))
    connection.connect(("127.0.0.1", port))
    connection.sendall(
        b"GET /v1/socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    connection.sendall(frame({"id": 0, "op": "hello", "token": token}))
    assert b"101 " in connection.recv(65536)
    return connection


def frame(content: object) -> bytes:
    """Masked with zeros, which changes nothing."""
    payload = orjson.dumps(content)
    head = bytes([0x81, 0x80 | len(payload)]) if len(payload) < 126 else b"\x81\xfe" + len(payload).to_bytes(2)
    return head + bytes(4) + payload


def ask_on(connection: socket.socket, enough: threading.Event) -> None:
    """Asks for large answers that nobody reads, until it is enough, or the server closes."""
    connection.settimeout(0.2)
    asked = b"".join(frame({"id": number, "op": "board", "board": "exp", "limit": 100}) for number in range(FRAMES))
    left = b""
    with contextlib.suppress(ConnectionError):
        while not enough.is_set():
            left = left or asked
            with contextlib.suppress(TimeoutError):
                left = left[connection.send(left) :]


def is_cut(connection: socket.socket) -> bool:
    """Whether the server has closed it; reads all that is left."""
    connection.settimeout(2)
    try:
        while connection.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def metric(api: Api, limit: str) -> float:
    text = (await api.ask("GET", "/metrics")).body.decode()
    name = f'gameserver_denied_total{{limit="{limit}"}} '
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), 0)


@pytest.mark.parametrize("limit", ["held_bytes_per_address", "held_bytes_per_node", "held_bytes_per_socket"])
async def test_sockets_that_dont_read_are_ended_at_each_bound_and_the_others_play_on(
    settings: Settings, stack: AsyncExitStack, limit: str
) -> None:
    bounds = {"held_bytes_per_address": 1 << 40, "held_bytes_per_node": 1 << 40, "held_bytes_per_socket": 1 << 30}
    bounds[limit] = MIB if limit != "held_bytes_per_socket" else MIB // 4
    quick = PerSecond(per_second=100_000, burst=100_000)
    limits = LimitSettings(
        held_bytes_per_address=bounds.pop("held_bytes_per_address"),
        frames_per_address=quick, frames_per_socket=quick, reads_per_player=quick,
    )  # fmt: skip
    chosen = settings.model_copy(update={"limits": limits, "sockets": SocketSettings(**bounds)})
    await start_node(stack, chosen)
    api = await stack.enter_async_context(Api(f"http://127.0.0.1:{settings.node.port}"))
    players = [await api.sign_up() for _ in range(SHOWN)]

    async def all_are_shown() -> bool:
        return len((await api.ask("GET", "/v1/boards/exp?limit=100")).body.get("entries", ())) == SHOWN

    await wait_until(all_are_shown, what="a board of all players")
    before, honest = await metric(api, limit), await api.socket(players[4].token)
    with ExitStack() as opened:
        slow = [
            opened.enter_context(await asyncio.to_thread(websocket, settings.node.port, player.token))
            for player in players[:4]
        ]
        enough = threading.Event()
        opened.callback(enough.set)
        asking = [asyncio.create_task(asyncio.to_thread(ask_on, one, enough)) for one in slow]

        async def one_is_ended() -> bool:
            assert "ok" in await honest.ask("ping")
            return await metric(api, limit) > before

        await wait_until(one_is_ended, 60, "a socket that doesn't read was ended")
        enough.set()
        await asyncio.gather(*asking)
        cut = [asyncio.create_task(asyncio.to_thread(is_cut, one)) for one in slow]
        assert await next(asyncio.as_completed(cut)), "those that go on have thousands of answers to read"
        for one in slow:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        await asyncio.gather(*cut)
    assert "ok" in await honest.ask("read")


async def test_a_client_that_leaves_answers_unread_over_http_is_cut_in_time(
    settings: Settings, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, forget = asyncio.Event(), connections.Connection.connection_lost

    def note(one: connections.Connection, error: BaseException | None) -> None:
        forget(one, error)
        lost.set()

    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.5)
    monkeypatch.setattr(connections.Connection, "connection_lost", note)
    await start_node(stack, settings)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", settings.node.port))
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 200)
        await wait_until(lost.is_set, 20, "the connection was cut")
        assert await asyncio.to_thread(is_cut, connection)


async def test_no_more_is_read_while_requests_of_many_bytes_are_answered(
    settings: Settings, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, free = 0, asyncio.Event()

    async def wait(*_: object) -> object:
        nonlocal begun
        begun += 1
        await free.wait()
        return {}

    monkeypatch.setitem(operations.OPERATIONS, "ping", operations.Operation(wire.PingFrame, wait))
    await start_node(stack, settings)
    api = await stack.enter_async_context(Api(f"http://127.0.0.1:{settings.node.port}"))
    one = (await api.socket((await api.sign_up()).token)).connection
    for number in range(60):
        await one.send_str(orjson.dumps({"id": number, "op": "ping"}).decode() + " " * 14_000)
    await asyncio.sleep(0.5)
    assert begun == conversation.IN_FLIGHT_BYTES // 14_000 + 1
    free.set()
    answers = [await one.receive_json(timeout=10) for _ in range(60)]
    assert sorted(answer["id"] for answer in answers) == list(range(60))
