"""What the server pushes to one player, over all of its sockets, and whether the order is right. Pure.

The law: on one socket `seq` never falls, and neither does the version in `player` pushes. When the server says that a
socket resumes the stream of an earlier one, its `seq` doesn't fall below that from which it resumes. Pushes that are
kept (KEPT) are numbered without gaps, and any other push carries the number of the last of them. Two gaps are
documented: letters that hello says are only in the inbox, and what SENDER_SHARE newer letters of one sender, or
KEPT_PUSHES newer pushes, follow at once, since a node that was away no longer found it. The second is no excuse for
what follows a hello that resumes: it has all, or says that letters are missing. A hello from the end of a stream
resumes. Two sockets may overlap while a player moves: what the older one is sent after the newer one was begun is not
compared with the newer one's.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from bots.wire.bodies import parse_state
from bots.wire.errors import BadAnswerError

KEPT = frozenset({"mail", "notice", "season"})
SENDER_SHARE, KEPT_PUSHES = 20, 100
"""So many letters of one sender, and pushes in all, are kept for a player (docs/socket.md)."""
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
    """The pushes of one socket, made before it is opened: `resume` is what its hello resumes from, None for nothing.

    Pushes that arrive before the answer to hello wait until it has been read.
    """

    def __init__(self, history: PushHistory) -> None:
        self._history = history
        self.resume = history.resume()
        self._early: list[Mapping[str, Any]] | None = []
        self._stream: str | None = None
        self._seq, self._version = 0, history.version
        self._skipped = False
        self._gaps: list[str] = []
        self._resuming: list[str] | None = []
        """The gaps among what was missed, until all of that has come."""
        self._since_gap: Counter[str] = Counter()
        history.sockets += 1
        self.number = history.sockets

    def greeted(self, body: Mapping[str, Any]) -> None:
        """Take the answer to hello: the player, and the stream's present position."""
        history = self._history
        history.on_player(body.get("player"))
        self._version = max(self._version, _version_of(body.get("player")))
        stream, seq = body.get("stream"), body.get("seq")
        if isinstance(stream, str) and isinstance(seq, int):
            self._skipped = bool(body.get("mail_skipped"))
            self._begin(stream, seq, resumed=body.get("resumed") is True)
        early, self._early = self._early or [], None
        for frame in early:
            self.take(frame)

    def caught_up(self) -> None:
        """Take that a request has been answered that was sent after hello: all that was missed came before that."""
        resuming, self._resuming = self._resuming or [], None
        faults = self._history.faults
        faults += [told for told in resuming if told not in faults]
        self._gaps = [told for told in self._gaps if told not in resuming]

    def take(self, frame: Mapping[str, Any]) -> None:
        """Take a push."""
        if self._early is not None:
            self._early.append(frame)
            return
        self._history.count += 1
        if isinstance(frame.get("seq"), int):
            self._check_seq(frame["seq"], is_kept=frame["push"] in KEPT)
        if frame["push"] in KEPT:
            self._excuse(frame.get("data"))
        else:
            self._gaps.clear()
        if frame["push"] == "player":
            self._take_player(frame.get("data") or {})

    def _begin(self, stream: str, seq: int, *, resumed: bool) -> None:
        """Begin at the stream's `seq`, or at what was resumed from: an older socket may have been sent more since."""
        history, asked = self._history, self.resume or {}
        self._stream, self._seq, newest = stream, seq, seq
        if not resumed:
            self._resuming = None
            if asked == {"stream": stream, "seq": seq}:
                history.faults.append(f"stream {stream}: nothing came after seq {seq}, and hello didn't resume")
        else:
            self._seq = asked["seq"] if asked.get("stream") == stream else 0
            if seq != self._seq and not self._skipped:
                told = f"stream {stream}: hello resumed after seq {seq} instead of {self._seq}, and skipped no letter"
                history.faults.append(told)
            newest = max(self._seq, history.seq) if history.stream == stream else self._seq
        history.stream, history.seq = stream, newest

    def _check_seq(self, seq: int, *, is_kept: bool) -> None:
        if seq < self._seq:
            self._history.faults.append(f"stream {self._stream}: seq {seq} was pushed after seq {self._seq}")
        elif self._stream and not self._skipped and seq > self._seq + is_kept:
            self._note_gap(f"stream {self._stream}: seq {seq} was pushed next after seq {self._seq}")
        self._seq = max(self._seq, seq)
        if self._stream == self._history.stream:
            self._history.seq = max(self._history.seq, self._seq)

    def _note_gap(self, told: str) -> None:
        if not self._gaps:
            self._since_gap.clear()
        self._gaps.append(told)
        if self._resuming is not None:
            self._resuming.append(told)
        self._history.faults.append(told)

    def _excuse(self, data: Any) -> None:
        """Take back the gaps before a run of kept pushes that is as long as what is kept: the older ones have gone."""
        if not self._gaps:
            return
        sender = data.get("sender") if isinstance(data, Mapping) else None
        self._since_gap[str(sender)] += 1
        if self._since_gap[str(sender)] < SENDER_SHARE and self._since_gap.total() < KEPT_PUSHES:
            return
        for told in self._gaps:
            self._history.faults.remove(told)
        self._gaps.clear()

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


def _version_of(player: Any) -> int:
    """The version of a hello's player; whoever listens judges one that has none."""
    version = player.get("version") if isinstance(player, Mapping) else None
    return version if isinstance(version, int) else 0


def _ignore(_player: Any) -> None:
    """The listener until a bot sets its own."""
