"""How far a follower has read a database: which transactions' rows it has seen.

Law: neither sequence numbers nor transaction ids are in commit order, so a follower reads what is visible now and
wasn't visible in its last snapshot. Ids that were in flight at a crash are assigned again afterwards. A crash ends the
follower's connection, so over another connection reading resumes after the highest id that was seen committed.
"""

from dataclasses import dataclass
from typing import Self

import orjson


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every transaction below `xmax` had ended, except those in `running`."""

    xmax: int
    running: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses pg_snapshot's text, xmin:xmax:xip,xip…"""
        _, xmax, running = text.split(":")
        return cls(int(xmax), tuple(int(txid) for txid in running.split(",") if txid))

    @property
    def lowest(self) -> int:
        """No transaction below it can become visible any more."""
        return min((self.xmax, *self.running))

    def until(self, txid: int) -> "Snapshot":
        """This snapshot, cut short: only its transactions below `txid` count as read."""
        if txid >= self.xmax:
            return self
        return Snapshot(txid, tuple(running for running in self.running if running < txid))

    def covers(self, other: "Snapshot") -> bool:
        """Whether every transaction that had ended in the other one, of the same server, has ended here, too."""
        late = [txid for txid in self.running if txid < other.xmax]
        return self.xmax >= other.xmax and set(late) <= set(other.running)

    def age(self) -> tuple[int, int]:
        """A key that orders the snapshots of one server by time."""
        return self.xmax, -len(self.running)


@dataclass(frozen=True, slots=True)
class Source:
    """A connection to a Postgres server; `session` names the connection."""

    system: str
    timeline: str
    session: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far something derived has read; `committed` is the highest transaction id seen committed."""

    source: Source
    snapshot: Snapshot
    committed: int

    def dump(self) -> str:
        source, snapshot = self.source, self.snapshot
        parts = (source.system, source.timeline, source.session, snapshot.xmax, snapshot.running, self.committed)
        return orjson.dumps(parts).decode()

    @classmethod
    def load(cls, text: str) -> Self:
        """What `dump` has made. Raises ValueError, TypeError."""
        system, timeline, session, xmax, running, committed = orjson.loads(text)
        if not all(type(txid) is int and 0 <= txid < 1 << 63 for txid in (xmax, committed, *running)):
            raise TypeError("not the ids of transactions")
        return cls(Source(system, timeline, session), Snapshot(xmax, tuple(running)), committed)

    @classmethod
    def resume(cls, text: str, source: Source) -> "Checkpoint | None":
        """The same by the text of one; None also for what isn't the text of a checkpoint."""
        try:
            return cls.load(text).on(source)
        except (ValueError, TypeError):
            return None

    def on(self, source: Source) -> "Checkpoint | None":
        """Where reading resumes over this connection; None on another system or timeline."""
        if (self.source.system, self.source.timeline) != (source.system, source.timeline):
            return None
        if self.source.session == source.session:
            return self
        return Checkpoint(source, self.snapshot.until(self.committed + 1), self.committed)
