"""How far a follower has read a database: which transactions' rows it has seen.

Sequence numbers and transaction ids are not commit order, so a follower reads what is visible now and wasn't in the
snapshot that it read last. Ids that were in flight at a crash are handed out again afterwards. A crash ends the
follower's connection, so whoever goes on over another one goes back to the highest id that was seen committed.
"""

from dataclasses import dataclass
from typing import Self

import orjson


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every transaction below `xmax` was over, but for those of `running`."""

    xmax: int
    running: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of pg_snapshot's text, xmin:xmax:xip,xip…"""
        _, xmax, running = text.split(":")
        return cls(int(xmax), tuple(int(each) for each in running.split(",") if each))

    @property
    def lowest(self) -> int:
        """No transaction below it can become visible any more."""
        return min((self.xmax, *self.running))

    def until(self, txid: int) -> "Snapshot":
        """What has been read when, of this snapshot, only the transactions below `txid` have."""
        if txid >= self.xmax:
            return self
        return Snapshot(txid, tuple(each for each in self.running if each < txid))

    def covers(self, other: "Snapshot") -> bool:
        """Whether everything that the other one, of the same server, shows as over is so here, too."""
        late = [each for each in self.running if each < other.xmax]
        return self.xmax >= other.xmax and set(late) <= set(other.running)

    def age(self) -> tuple[int, int]:
        """Orders the snapshots of one server by time."""
        return self.xmax, -len(self.running)


@dataclass(frozen=True, slots=True)
class Source:
    """A connection to a Postgres server, `session` being a name of its own."""

    system: str
    timeline: str
    session: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is kept with what was derived; `committed` is the highest transaction id seen committed."""

    source: Source
    snapshot: Snapshot
    committed: int

    def dump(self) -> str:
        source, snapshot = self.source, self.snapshot
        parts = [
            source.system,
            source.timeline,
            source.session,
            snapshot.xmax,
            snapshot.running,
            self.committed,
        ]
        return orjson.dumps(parts).decode()

    @classmethod
    def load(cls, text: str) -> Self:
        system, timeline, session, xmax, running, committed = orjson.loads(text)
        return cls(Source(system, timeline, session), Snapshot(xmax, tuple(running)), committed)

    def on(self, source: Source) -> "Checkpoint | None":
        """From where to go on over this connection; None on another system or timeline."""
        if (self.source.system, self.source.timeline) != (source.system, source.timeline):
            return None
        if self.source.session == source.session:
            return self
        return Checkpoint(source, self.snapshot.until(self.committed + 1), self.committed)
