"""A player's open socket: its session, what it subscribed to, and which pushes it has been sent.

Law: nothing is pushed before hello is answered; what arrives earlier is held back. A state of the player is never sent
after a newer one; one of the same or an earlier version is newer only if its database has gone back. Kept pushes
go out once each, in the order of their numbers, unless their stream begins anew; the client's numbers never fall.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gameserver.commands.results import Opened, Seen, Session, StoredPush
from gameserver.rules.player import Player
from gameserver.transport import answers
from gameserver.transport.socket.channel import SocketChannel
from gameserver.transport.socket.memory import HeldMemory
from gameserver.transport.socket.places import SocketPlace
from gameserver.transport.wire import RANK_TOPIC, TOPICS, Close


@dataclass(slots=True)
class BeforeHello:
    """Pushes that are held back until hello is answered."""

    states: list[tuple[Player, int]] = field(default_factory=list)
    kept: list[StoredPush] = field(default_factory=list)
    pushes: list[tuple[str, object]] = field(default_factory=list)
    doubted: bool = False
    """Whether the state that the answer will have may be one that the database has lost."""


class PlayerSocket:
    """One per connection; it has a `session` and a `token` from hello on, and `requests` while they are answered."""

    def __init__(self, place: SocketPlace, memory: HeldMemory) -> None:
        self.place, self._memory = place, memory
        self.channel = SocketChannel(self.note_held, place.note_ended)
        self.requests: dict[asyncio.Task[str], int] = {}
        """The bytes of each."""
        self.session: Session | None = None
        self.token = ""
        self.left = asyncio.Event()
        """Set when the client has left, or the socket was closed."""
        self.topics = TOPICS
        self.standings: dict[str, tuple[int, int]] = {}
        """The rank and score that were pushed last, by board."""
        self._seen = Seen(greeted=False)
        self._earlier = 0
        """What is added to the numbers of the present stream, since the client has had those of earlier ones."""
        self._state_version = self._doubted_version = -1
        self._held_back: BeforeHello | None = BeforeHello()

    @property
    def address(self) -> str | None:
        """What its memory is counted by."""
        return self.place.address

    @property
    def player_id(self) -> int | None:
        return None if self.session is None else self.session.player_id

    def held(self) -> int:
        """Bytes that the node holds for it: answers and pushes that aren't read, and requests that aren't answered."""
        return self.channel.unread + sum(self.requests.values())

    def note_held(self) -> None:
        """Counts these until the client has left; too many end the socket, or those that hold most."""
        if not self.left.is_set():
            self._memory.note(self)

    def end_slow(self) -> None:
        self.channel.end(Close.TOO_SLOW, "too slow")

    def cut(self) -> None:
        self.channel.cut()

    @property
    def seen(self) -> Seen:
        """How far this socket has been sent the kept pushes of its stream."""
        return self._seen

    def push(self, kind: str, data: object) -> None:
        """Sends a push that isn't kept: it carries the number of the last kept one."""
        if self._held_back is not None:
            self._held_back.pushes.append((kind, data))
            return
        self.channel.send({"push": kind, "seq": self._earlier + self._seen.seq, "data": data})

    def answer_hello(self, answer: Mapping[str, object], version: int, opened: Opened) -> None:
        """Sends the answer, which has the player's state of `version`; then what was missed, and what was held back."""
        held_back, self._held_back = self._held_back, None
        self._state_version, self._seen = version, Seen(opened.stream, opened.before_missed)
        self.channel.send(answer)
        self.push_stored(opened.stream, opened.missed)
        if held_back is not None:
            if held_back.doubted:
                self.doubt_state()
            self.push_stored(opened.stream, held_back.kept)
            for player, max_hp in held_back.states:
                self.push_state(player, max_hp)
            for kind, data in held_back.pushes:
                self.push(kind, data)

    @property
    def state_version(self) -> int:
        """The newest version of the player's state that has been sent; -1 before hello is answered."""
        return self._state_version

    def note_state(self, version: int) -> None:
        """An answer has sent the player's state of this version."""
        if version < self._doubted_version:
            self._state_version = self._doubted_version = -1
        self._state_version = max(self._state_version, version)

    def doubt_state(self) -> None:
        """The player's database may have gone back: then a next state of the same or a lower version is newer."""
        self._doubted_version = self._state_version
        if self._held_back is not None:
            self._held_back.doubted = True
            self._held_back.states.clear()

    def has_state(self, version: int) -> bool:
        """Whether the player's state of this version, or of a later one, has been sent."""
        return version <= self._state_version

    def push_state(self, player: Player, max_hp: int) -> None:
        """Pushes the player's state if it is newer than the last one sent."""
        if self._held_back is not None:
            self._held_back.states.append((player, max_hp))
        else:
            # After an answer with a later state, one of the doubted version is most likely only late.
            is_again = player.version == self._doubted_version == self._state_version
            is_news = is_again or not self.has_state(player.version) or player.version < self._doubted_version
            self.note_state(player.version)
            self._doubted_version = -1
            if is_news and "player" in self.topics:
                self.push("player", answers.player(player, max_hp))

    def push_stored(self, stream: str, kept: Sequence[StoredPush]) -> None:
        """Pushes those that haven't been sent yet."""
        if self._held_back is not None:
            self._held_back.kept.extend(kept)
            return
        if not stream:  # of a catch-up that began before hello, or of one without Redis
            return
        if stream != self._seen.stream:
            self._earlier += self._seen.seq
            self._seen = Seen(stream, 0)
        for entry in kept:
            if entry.seq > self._seen.seq:
                self._seen = Seen(stream, entry.seq, entry.mark)
                if entry.kind in self.topics:
                    self.push(entry.kind, entry.data)

    def push_rank(self, board: str, rank: int, score: int, total: int) -> None:
        """Pushes a place on a board if the client still subscribes to it and the place has changed."""
        if RANK_TOPIC + board in self.topics and self.standings.get(board) != (rank, score):
            self.standings[board] = (rank, score)
            self.push("rank", {"board": board, "rank": rank, "score": score, "total": total})
