"""A lane for each database of a group: a queue of what is asked of it, and one connection that works it off.

Law: how many wait in a lane, and for how long, is bounded for each database by itself: a silent one holds up only what
is asked of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from gameserver.coalescing import Bounds, Coalescer, ReplyT
from gameserver.storage.postgres.coalescing import overloaded
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.link import Link
from gameserver.storage.postgres.waits import noted
from gameserver.storage.slots.slot_map import Slots


class Slotted(Protocol):
    """What is asked of the database that owns its slot."""

    @property
    def slot(self) -> int: ...


SlottedT = TypeVar("SlottedT", bound=Slotted)
Call = Callable[[Database, Link, Sequence[SlottedT]], Awaitable[Sequence[ReplyT | Exception]]]


class Lanes(Generic[SlottedT, ReplyT]):
    """One per node and kind of question; `close` ends what is under way."""

    def __init__(
        self,
        slots: Slots,
        group: str,
        call: Call[SlottedT, ReplyT],
        bounds: Bounds,
        settings: Mapping[str, str],
    ) -> None:
        """`call` gives the replies in the order of the questions; `settings` are those of the connections."""
        self._slots, self._group, self._call = slots, group, call
        self._bounds, self._settings = bounds, settings
        self._queues: dict[str, Coalescer[SlottedT, ReplyT]] = {}
        self._links: dict[str, Link] = {}

    def ask(self, question: SlottedT) -> asyncio.Future[ReplyT]:
        """The reply of the database that owns the slot, as far as the map says. Raises Overloaded."""
        database = self._slots.owner(self._group, question.slot)
        queue = self._queues.get(database.name)
        if queue is None:
            link = self._links[database.name] = Link(database, self._settings)
            queue = Coalescer(partial(self._call, database, link), self._bounds, overloaded)
            self._queues[database.name] = queue
        return noted(database.name, queue.ask(question))

    async def close(self) -> None:
        """Refuses what waits, and closes the connections."""
        await asyncio.gather(*(queue.close() for queue in self._queues.values()))
        await asyncio.gather(*(link.close() for link in self._links.values()))
