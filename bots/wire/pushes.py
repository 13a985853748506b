"""What the server pushes to one player, over all of its sockets, and whether the order is right. Pure.

The law: on one socket `seq` never falls, and neither does the version in `player` pushes. When the server says that a
socket resumes the stream of an earlier one, its `seq` doesn't fall below that stream's either. Pushes that are kept
(KEPT) are numbered without gaps, but for letters that hello says are only in the inbox. Pushes of two sockets that
overlap while a player moves are not compared with each other.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bots.wire.bodies import parse_state
from bots.wire.errors import BadAnswerError

KEPT = frozenset({"mail", "notice", "season"})
PlayerListener = Callable[[Any], None]


class PushHistory:
    """All pushes of one player: `faults` in sentences; `stream` and `seq` are where the next socket resumes."""

    def __init__(self) -> None:
        self.stream: str | None = None
        self.seq = 0
        self.version = 0
        self.count = 0
        self.sockets = 0
        self.faults: list[str] = []
        self.on_player: PlayerListener = _ignore

    def resume(self) -> dict[str, Any] | None:
        """Return the `resume` of the next hello, None before the first stream."""
        return None if self.stream is None else {"stream": self.stream, "seq": self.seq}


class SocketPushes:
    """The pushes of one socket; those that arrive before the answer to hello wait until it has been read."""

    def __init__(self, history: PushHistory) -> None:
        self._history = history
        self._early: list[Mapping[str, Any]] | None = []
        self._stream: str | None = None
        self._seq = self._version = 0
        self._skipped = False
        history.sockets += 1
        self.number = history.sockets

    def greeted(self, body: Mapping[str, Any]) -> None:
        """Take the answer to hello: the player, and the stream's present position."""
        history = self._history
        history.on_player(body.get("player"))
        stream, seq = body.get("stream"), body.get("seq")
        if isinstance(stream, str) and isinstance(seq, int):
            self._stream, self._seq = stream, seq
            if body.get("resumed") is True:
                self._seq = history.seq if stream == history.stream else 0
            history.stream, history.seq = stream, self._seq
            self._skipped = bool(body.get("mail_skipped"))
        self._version = history.version
        early, self._early = self._early or [], None
        for frame in early:
            self.take(frame)

    def take(self, frame: Mapping[str, Any]) -> None:
        """Take a push."""
        if self._early is not None:
            self._early.append(frame)
            return
        self._history.count += 1
        if isinstance(frame.get("seq"), int):
            self._check_seq(frame["seq"], is_kept=frame["push"] in KEPT)
        if frame["push"] == "player":
            self._take_player(frame.get("data") or {})

    def _check_seq(self, seq: int, *, is_kept: bool) -> None:
        if seq < self._seq:
            self._history.faults.append(f"stream {self._stream}: seq {seq} was pushed after seq {self._seq}")
        elif is_kept and self._stream and not self._skipped and seq > self._seq + 1:
            self._history.faults.append(f"stream {self._stream}: seq {seq} was pushed next after seq {self._seq}")
        self._seq = max(self._seq, seq)
        if self._stream == self._history.stream:
            self._history.seq = max(self._history.seq, self._seq)

    def _take_player(self, data: Mapping[str, Any]) -> None:
        player = data.get("player", data)
        try:
            version = parse_state(player).version
        except BadAnswerError as error:
            self._history.faults.append(f"a push of the player: {error}")
            return
        if version < self._version:
            self._history.faults.append(
                f"stream {self._stream}: version {version} was pushed after version {self._version}"
            )
        self._version = max(self._version, version)
        self._history.version = max(self._history.version, version)
        self._history.on_player(player)


def _ignore(_player: Any) -> None:
    """The listener until a bot sets its own."""
