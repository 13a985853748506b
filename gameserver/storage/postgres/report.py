"""One database's part of a question over all of them."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.storage.postgres.faults import translated


class Report:
    """A snapshot of one database, for one question over all of them.

    At its deadline, of the event loop's clock, its connection is cut, whatever that is doing: a silent database holds
    nobody up for longer.
    """

    def __init__(self, database: str, connection: AsyncConnection, cut: Callable[[], None], deadline: float) -> None:
        self.database, self._connection, self._cut = database, connection, cut
        self._timer: asyncio.TimerHandle | None = None
        self.extend(deadline)

    def extend(self, deadline: float) -> None:
        """Sets another deadline."""
        self.end()
        self._deadline, self._timer = deadline, asyncio.get_running_loop().call_at(deadline, self._cut)

    def end(self) -> None:
        """The deadline has no effect any more."""
        if self._timer is not None:
            self._timer.cancel()

    async def ask(self, statement: Executable, arguments: Mapping[str, Any]) -> Sequence[Any]:
        """The rows of a statement. Raises DatabaseUnavailable, also when the deadline has come."""
        with translated(self.database), self._bounded():
            return (await self._connection.execute(statement, arguments)).all()

    async def finish(self) -> None:
        """Ends the snapshot. Raises one of LOST, also when the deadline has come."""
        with self._bounded():
            await self._connection.rollback()

    @contextlib.contextmanager
    def _bounded(self) -> Iterator[None]:
        """Raises TimeoutError when the deadline has come: the driver may say anything of a connection that was cut."""
        try:
            yield
        except Exception as error:
            if asyncio.get_running_loop().time() < self._deadline:
                raise
            raise TimeoutError("the deadline of a question over all databases") from error
