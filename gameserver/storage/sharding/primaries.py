"""Which system and timeline the primary of each database had when a node saw it last, for processes that start later.

Law: of one system a node records only later timelines, and a process that remembers one takes no earlier primary of
several: one that was replaced and doesn't know it yet may be the first, or the only one, to answer. What was compared
with the map counts, also an earlier timeline: so `gameserver slots reconcile` ends a memory that is wrong, as after a
restore by hand. The control database can't remember itself.
"""

import asyncio

from sqlalchemy.exc import DBAPIError

from gameserver.logs.outage import Outage
from gameserver.rules.errors import GameError
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.postgres.driver import DriverConnection, Lineage
from gameserver.storage.postgres.shares import Purpose, using

NOTE_SECONDS = 2.0
_RECALL = "select database, system, timeline from primaries"
_RECORD = (
    "insert into primaries as p (database, system, timeline) values ($1, $2, $3)"
    " on conflict (database) do update set system = excluded.system, timeline = excluded.timeline"
)
_NOTE = f"{_RECORD} where p.system <> excluded.system or p.timeline < excluded.timeline returning p.database"


class PrimaryMemory:
    """One per node; `run` goes on until it is cancelled."""

    def __init__(self, control: Database, databases: Databases) -> None:
        self._control, self._databases = control, databases
        self._noted: dict[str, Lineage] = {}
        self._outage = Outage("primaries can't be noted", "primaries are noted again")

    async def recall(self) -> None:
        """Tells every database what its primary was. Raises DatabaseUnavailable."""
        for name, system, timeline in await self._control.ask(_RECALL):
            if name in self._databases and self._databases[name] is not self._control:
                self._databases[name].dialer.remember(Lineage(system, timeline))

    async def note(self) -> None:
        """Records what has been seen since the last time. Raises DatabaseUnavailable."""
        for name in self._databases.names():
            dialer = self._databases[name].dialer
            seen = dialer.lineage if dialer.is_judged else None
            if seen is None or seen.timeline is None or seen == self._noted.get(name):
                continue
            await self._control.ask(_NOTE, name, *seen)
            self._noted[name] = seen

    async def run(self) -> None:
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            try:
                with using(Purpose.UPKEEP):
                    await self.note()
            except (GameError, DBAPIError) as error:
                self._outage.failed(str(error))
            else:
                self._outage.answered()


async def record(control: DriverConnection, name: str, compared: DriverConnection) -> None:
    """Records the server that a database was compared on, whatever was known before. Raises what the driver does."""
    if compared.lineage is not None and compared.lineage.timeline is not None:
        await control.execute(_RECORD, name, *compared.lineage)
