"""Streaming replicas of the databases: only reads go there, and what they show is older than the primary's.

Law: a replica's age is never understated, and no clock but this node's own counts. The primary is asked how far its log
has come; once the replica has replayed it to there, it shows whatever the primary showed at the moment of the question.
A replica that is frozen, cut off, slow, or isn't one of this primary and its timeline ages without bound. Whatever a
server answers, the watch goes on. A server of a database that fails over is one of its replicas while it doesn't lead.
"""

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Collection, Mapping
from math import inf, nan
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError

from gameserver.logs.outage import Outage
from gameserver.rules.errors import DatabaseUnavailable, Overloaded
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.telemetry import REPLICA_AGE, REPLICA_BEHIND, REPLICA_POSITION

LOOK_SECONDS = 0.5
MARKS = 600
"""How many positions of the primary are remembered, five minutes of them: a replica that is older is useless anyway."""
SQL = statements.load(__package__, "replica.sql")


class _CannotTellError(Exception):
    """A server didn't say how far it has come; with the reason."""


class Replica:
    """One replica; `database` is how it is reached."""

    def __init__(self, name: str, primary: str, database: Database, *, may_lead: bool = False) -> None:
        """`may_lead`: that it takes writes means only that it is the primary at the moment."""
        self.name, self.primary, self.database = name, primary, database
        self._may_lead = may_lead
        self.leads = False
        """Whether it was the primary when it was looked at last."""
        self._fresh_at = self._rests_until = -inf
        self._line = ("", 0)
        """The primary's system and timeline."""
        self._marks: deque[tuple[int, float]] = deque(maxlen=MARKS)
        self._outage = Outage("a replica can't be used", "a replica can be used again", database=primary, replica=name)
        self._newest = 0
        """The position that the primary named last."""
        self.position = nan
        """Up to where it has replayed the log of this primary, when it answered last; NaN while that isn't known."""
        REPLICA_AGE.labels(primary, name).set_function(self.age)
        REPLICA_BEHIND.labels(primary, name).set_function(self.behind)
        REPLICA_POSITION.labels(primary, name).set_function(lambda: self.position)

    def age(self) -> float:
        """Seconds: what it shows is at the most so old. Infinite while that isn't known."""
        return time.monotonic() - self._fresh_at

    def behind(self) -> float:
        """Bytes of its primary's log that it hasn't replayed, as far as is known; one that is silent falls behind."""
        return self.position if math.isnan(self.position) else max(self._newest - self.position, 0)

    @property
    def problem(self) -> str | None:
        """Why it can't be used at the moment; None if it can, as far as is known."""
        return self._outage.error

    @property
    def is_comparable(self) -> bool:
        """Whether its primary has said what it is and how far it has come."""
        return bool(self._line[0])

    def distrust(self, reason: str) -> None:
        """It isn't used until it has been looked at again."""
        self._fresh_at = -inf
        self._outage.failed(reason)

    def rest(self, reason: str, seconds: float) -> None:
        """It isn't used for so long: it is slow, or doesn't answer."""
        self._rests_until = time.monotonic() + seconds
        self.distrust(reason)

    def rests(self) -> bool:
        """Whether it isn't to be used although it may be young enough."""
        return time.monotonic() < self._rests_until

    def mark(self, line: tuple[str, int], position: int, asked_at: float) -> None:
        """The primary's log had come to `position`, in bytes, or less when it was asked, by the monotonic clock.

        `line` is its system and timeline: positions of others say nothing.
        """
        if line != self._line:
            self._line = line
            self._marks.clear()
            self.position = nan
        self._newest = position
        self._marks.append((position, asked_at))

    async def look(self) -> None:
        """Asks it how far it has come."""
        try:
            row = await _told(self.database, "replica")
        except _CannotTellError as error:
            self.distrust(str(error))
            return
        system, timeline = self._line
        self.leads = self._may_lead and not row.replays and row.system == system
        follows = row.replays and row.system == system and row.timeline in (None, timeline)
        self.position = row.position if follows and row.position is not None else nan
        if self.leads:
            self._fresh_at = -inf
            self._outage.answered()
        elif not row.replays and not self._may_lead:
            self.distrust("it is no replica: it takes writes")
        elif row.system != system:
            self.distrust(f"it is of the system {row.system}, and {self.primary} is {system}")
        elif row.timeline is not None and row.timeline != timeline:
            self.distrust(f"it follows the timeline {row.timeline}, and {self.primary} is on {timeline}")
        else:
            if row.timeline is not None:  # else it receives nothing now, and ages
                self._reached(row.position)
            if not self.rests():
                self._outage.answered()

    async def watch(self) -> None:
        """Looks again and again, once its primary has answered, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._marks:
                await self.look()

    def _reached(self, position: int) -> None:
        while self._marks and self._marks[0][0] <= position:
            self._fresh_at = self._marks.popleft()[1]


class Replicas:
    """The replicas of all databases. `run` watches them until it is cancelled; before, none counts as fresh."""

    def __init__(
        self,
        databases: Databases,
        urls: Mapping[str, Mapping[str, SecretStr]],
        passfile: Path | None,
        may_lead: Collection[str] = (),
    ) -> None:
        """`urls` are those of each database's replicas, by their names.

        `may_lead` names the replicas that may become the primary.
        """
        self._databases = databases
        self._by_database = {
            name: [
                Replica(replica, name, Database(replica, url, passfile, replica=True), may_lead=replica in may_lead)
                for replica, url in own.items()
            ]
            for name, own in urls.items()
            if own
        }
        self._turns = itertools.count()

    def all(self) -> list[Replica]:
        """Every replica."""
        return [replica for own in self._by_database.values() for replica in own]

    def fresh(self, database: str, oldest: float) -> Replica | None:
        """A replica that is at the most `oldest` seconds old, each in turn; None if there is none."""
        own = self._by_database.get(database, ())
        fresh = [replica for replica in own if replica.age() <= oldest and not replica.rests()]
        return fresh[next(self._turns) % len(fresh)] if fresh else None

    async def run(self) -> None:
        """Compares replicas with their primaries again and again, until cancelled; none waits for another."""
        async with asyncio.TaskGroup() as tasks:
            for replica in self.all():
                tasks.create_task(replica.watch())
            for name in self._by_database:
                tasks.create_task(self._mark_for_ever(name))
            await asyncio.Event().wait()  # also without any replica: a node whose background work ends stops

    async def compare(self) -> None:
        """Compares once. Whoever isn't fresh then hasn't come as far as its primary was when this began."""
        await asyncio.gather(*map(self._mark, self._by_database))
        await asyncio.gather(*(replica.look() for replica in self.all() if replica.is_comparable))

    async def close(self) -> None:
        """Closes the connections to them."""
        await asyncio.gather(*(replica.database.dispose() for replica in self.all()))

    async def _mark_for_ever(self, name: str) -> None:
        while True:
            with using(Purpose.UPKEEP):
                await self._mark(name)
            await asyncio.sleep(LOOK_SECONDS)

    async def _mark(self, name: str) -> None:
        asked_at = time.monotonic()
        try:
            row = await _told(self._databases[name], "primary")
        except _CannotTellError:
            return  # its outage is told elsewhere, and the replicas age
        if row.position is not None:
            for replica in self._by_database[name]:
                replica.mark((row.system, row.timeline), row.position, asked_at)


async def _told(database: Database, statement: str) -> Any:
    """The row of a statement. Raises _CannotTellError, also when the server refuses it: it may lack rights."""
    try:
        (row,) = await database.ask(SQL[statement])
    except (DatabaseUnavailable, Overloaded) as error:
        raise _CannotTellError(error.detail) from error
    except DBAPIError as error:
        raise _CannotTellError(f"it doesn't say how far it has come: {error.orig}") from error
    return row
