"""One open socket: what is written to it, what its player has been told, and how it ends.

Law: the frames put in one turn of the loop leave in their order in one write, so a batch of answers costs one system
call and not one each (they were two fifths of a busy node's time). What a peer hasn't taken waits in its connection's
buffer; past the bound the peer is cut off as too slow. Nothing is pushed before hello is answered, a player's state is
never told after a newer one, and kept pushes go out once each in the order of their numbers. Every close has a
deadline: one peer that stops reading can't hold up the node.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from gameserver.commands.results import Opened, Seen, Session, StoredPush
from gameserver.rules.player import Player
from gameserver.transport import answers
from gameserver.transport.wire import HEARTBEAT_SECONDS, LARGEST_BODY, RANK_TOPIC, SUBPROTOCOL, TOPICS, Close

LARGEST_BUFFER = 1 << 20
"""Bytes that may wait for a peer."""
CLOSE_SECONDS = 1.0


@dataclass(slots=True)
class Early:
    """What came for the player while hello was being answered."""

    players: list[tuple[Player, int]] = field(default_factory=list)
    kept: list[StoredPush] = field(default_factory=list)
    pushes: list[tuple[str, object]] = field(default_factory=list)


class Socket:
    """One connection; `session` and `token` once it has said hello, `requests` while they are being answered."""

    def __init__(self) -> None:
        self.connection = web.WebSocketResponse(
            heartbeat=HEARTBEAT_SECONDS,
            autoping=False,
            max_msg_size=LARGEST_BODY + 1,
            compress=False,
            protocols=(SUBPROTOCOL,),
        )  # aiohttp refuses a frame of max_msg_size bytes, too
        self.requests: set[asyncio.Task[None]] = set()
        self.session: Session | None = None
        self.token = ""
        self.topics = TOPICS
        self.standings: dict[str, tuple[int, int]] = {}
        """Rank and score told last, by board."""
        self._seen = Seen()
        self._told = -1
        self._early: Early | None = Early()
        self._transport: asyncio.Transport | None = None
        self._frames: list[bytes] = []
        self._closing: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()

    async def open(self, request: web.Request) -> None:
        """Answers the upgrade."""
        await self.connection.prepare(request)
        self._transport = request.transport

    @property
    def seen(self) -> Seen:
        """Up to where the peer has got the kept pushes of its stream."""
        return self._seen

    @property
    def closing(self) -> bool:
        return self._closing is not None or self.connection.closed

    def gone(self) -> None:
        """The peer has left, or the socket was ended."""
        self._gone.set()

    async def until_closing(self, seconds: float) -> None:
        """Waits until the peer has left, for so long at the most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), seconds)

    def put(self, answer: object) -> None:
        """Sends a frame with the others of this turn."""
        if not self._frames:
            asyncio.get_running_loop().call_soon(self._flush)
        self._frames.append(_text_frame(answers.encode(answer)))

    def push(self, kind: str, data: object) -> None:
        """Sends a push that isn't kept: it carries the number of the last kept one."""
        if self._early is not None:
            self._early.pushes.append((kind, data))
            return
        self.put({"push": kind, "seq": self._seen.seq, "data": data})

    def greet(self, answer: Mapping[str, object], version: int, opened: Opened) -> None:
        """Answers hello with the state of a version; then what was missed, and what came meanwhile."""
        early, self._early = self._early, None
        self._told, self._seen = version, Seen(opened.stream, opened.seq - len(opened.missed))
        self.put(answer)
        self.deliver(opened.stream, opened.missed)
        if early is not None:
            self.deliver(opened.stream, early.kept)
            for player, max_hp in early.players:
                self.show(player, max_hp)
            for kind, data in early.pushes:
                self.push(kind, data)

    def has_told(self, version: int) -> None:
        """An answer has told the player's state of this version."""
        self._told = max(self._told, version)

    def knows(self, version: int) -> bool:
        return version <= self._told

    def show(self, player: Player, max_hp: int) -> None:
        """Pushes the player's state, if it is newer than what was told."""
        if self._early is not None:
            self._early.players.append((player, max_hp))
        elif not self.knows(player.version):
            self._told = player.version
            if "player" in self.topics:
                self.push("player", answers.player(player, max_hp))

    def deliver(self, stream: str, kept: Sequence[StoredPush]) -> None:
        """Pushes what was kept and hasn't been sent yet."""
        if self._early is not None:
            self._early.kept.extend(kept)
            return
        if stream != self._seen.stream:
            self._seen = Seen(stream, 0)
        for each in kept:
            if each.seq > self._seen.seq:
                self._seen = Seen(stream, each.seq)
                if each.kind in self.topics:
                    self.push(each.kind, each.data)

    def rank(self, board: str, rank: int, score: int, total: int) -> None:
        """Pushes a place on a board, if it is wanted still and another one than was told."""
        if RANK_TOPIC + board in self.topics and self.standings.get(board) != (rank, score):
            self.standings[board] = (rank, score)
            self.push("rank", {"board": board, "rank": rank, "score": score, "total": total})

    def _flush(self) -> None:
        frames, self._frames = self._frames, []
        if self._transport is None or self._transport.is_closing() or self.connection.closed:
            return
        self._transport.write(b"".join(frames))
        if self._transport.get_write_buffer_size() > LARGEST_BUFFER:
            self.end(Close.TOO_SLOW, "too slow")

    def end(self, code: int, reason: str) -> None:
        """Begins to close; the receiving side then sees the end."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        if self._frames:
            self._flush()
        with contextlib.suppress(TimeoutError, ConnectionError, RuntimeError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.connection.close(code=code, message=reason.encode(), drain=code != Close.TOO_SLOW)
        if self._transport is not None and self._transport.get_write_buffer_size():
            self._transport.abort()

    async def ended(self) -> None:
        """Waits for a close that has begun."""
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=2 * CLOSE_SECONDS)
        if self._transport is not None and self._transport.get_write_buffer_size():
            self._transport.abort()


def _text_frame(payload: bytes) -> bytes:
    """An unmasked text frame of one fragment (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload
