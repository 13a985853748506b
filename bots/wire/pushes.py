"""What the sockets of one player push, and whether it keeps its order. Pure.

On one socket `seq` never falls, and the version in `player` pushes never does; neither falls below what had come
over the sockets before it, as far as the server says that this one goes on with their stream. Two sockets that
overlap while a player moves are not held against each other.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bots.wire.wire import BadAnswerError, parse_state

PlayerListener = Callable[[Any], None]


class Pushes:
    """All pushes of one player; `faults` in sentences, `stream` and `seq` are what to resume from."""

    def __init__(self) -> None:
        self.stream: str | None = None
        self.seq = 0
        self.version = 0
        self.count = 0
        self.faults: list[str] = []
        self.on_player: PlayerListener = _ignore

    def resume(self) -> dict[str, Any] | None:
        """Return the `resume` of the next hello, None before the first stream."""
        return None if self.stream is None else {"stream": self.stream, "seq": self.seq}


class Delivery:
    """What one socket pushes; what comes before the answer to hello has been read waits for it."""

    def __init__(self, pushes: Pushes) -> None:
        self._pushes = pushes
        self._early: list[Mapping[str, Any]] | None = []
        self._stream: str | None = None
        self._seq = self._version = 0

    def greeted(self, body: Mapping[str, Any]) -> None:
        """Take the answer to hello: the player, and where the stream stands."""
        all_pushes = self._pushes
        all_pushes.on_player(body.get("player"))
        stream, seq = body.get("stream"), body.get("seq")
        if isinstance(stream, str) and isinstance(seq, int):
            self._stream, self._seq = stream, seq
            if body.get("resumed") is True:
                self._seq = all_pushes.seq if stream == all_pushes.stream else 0
            all_pushes.stream, all_pushes.seq = stream, self._seq
        self._version = all_pushes.version
        early, self._early = self._early or [], None
        for frame in early:
            self.take(frame)

    def take(self, frame: Mapping[str, Any]) -> None:
        """Take a push."""
        if self._early is not None:
            self._early.append(frame)
            return
        self._pushes.count += 1
        if isinstance(frame.get("seq"), int):
            self._check_seq(frame["seq"])
        if frame["push"] == "player":
            self._take_player(frame.get("data") or {})

    def _check_seq(self, seq: int) -> None:
        if seq < self._seq:
            self._pushes.faults.append(f"stream {self._stream}: a push has seq {seq}, after {self._seq}")
        self._seq = max(self._seq, seq)
        if self._stream == self._pushes.stream:
            self._pushes.seq = max(self._pushes.seq, self._seq)

    def _take_player(self, data: Mapping[str, Any]) -> None:
        player = data.get("player", data)
        try:
            version = parse_state(player).version
        except BadAnswerError as error:
            self._pushes.faults.append(f"a push of the player: {error}")
            return
        if version < self._version:
            self._pushes.faults.append(f"stream {self._stream}: version {version} is pushed after {self._version}")
        self._version = max(self._version, version)
        self._pushes.version = max(self._pushes.version, version)
        self._pushes.on_player(player)


def _ignore(_player: Any) -> None:
    """Nobody listens."""
