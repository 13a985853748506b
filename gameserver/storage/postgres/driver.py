"""A driver connection that never lets a commit pass whose fate isn't known.

Law: a commit has taken place for good, or `CommitUnsure` is raised; any other error says that the transaction has left
nothing. A commit whose wait for a synchronous standby is cancelled (by a statement's time-out, an operator, or the
driver itself, which asks the server to cancel whatever it no longer waits for) has taken place on the primary alone,
and Postgres only warns. So every warning at a commit counts, and that warning after any other statement, which was a
transaction of its own then. A connection that is lost during a commit says as little. A transaction that has written
nothing doesn't wait for anything, although what it has read may be on the primary alone: one that answers by what it
read leaves a mark.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg

from gameserver.storage.postgres import array_types, patience

_COMMITS = re.compile(r"(?:^|;)\s*commit\b", re.IGNORECASE)
_WAITING = "SyncRepWaitForLSN"
"""The function of Postgres that waits for synchronous standbys: unlike the text, it is in no language."""
LEAVE_A_MARK = "pg_logical_emit_message(true, 'gameserver', '')"
"""A call in a transaction whose commit is then waited for by the standby, even if it writes nothing else."""
LOST_AT_COMMIT = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.TransactionTimeoutError,
)
"""Errors of a commit after which it may have taken place."""
DEMOTED = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
"""Errors of a server that is no primary any more, or stops."""


class CommitUnsure(ConnectionError):
    """A transaction may have been committed, and may yet be lost with its primary."""


class Lineage(NamedTuple):
    """What a server's data descend from; `timeline` is None where the server doesn't say it, as a replica doesn't."""

    system: str
    timeline: int | None


class DriverConnection(asyncpg.Connection):  # type: ignore[misc]
    """Opened by `Dialer`, which sets `address`, `host:port` for operators, and `lineage`, if the server tells it."""

    address: str = ""
    lineage: Lineage | None = None
    doubted = False
    """Whether its server may be no primary any more."""
    when_demoted: Callable[[], None] = staticmethod(lambda: None)
    """Called when a statement fails as on a server that is no primary any more."""
    is_committing = False
    """Whether a commit was sent whose answer hasn't come: whoever gives up waiting asks before it drops it."""
    _warned = _unsure = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.add_log_listener(_hear)

    async def set_type_codec(self, *arguments: Any, **options: Any) -> None:
        """As the driver's."""
        await super().set_type_codec(*arguments, **options)
        array_types.introduce(self)

    def is_usable(self) -> bool:
        """Whether it is open, and to the primary as far as is known."""
        return not (self.doubted or self.is_closed())

    def hear(self, message: asyncpg.PostgresLogMessage) -> None:
        """Notes a warning."""
        if message.severity_en == "WARNING":
            self._warned = True
            self._unsure = self._unsure or message.server_source_function == _WAITING

    def require_sure(self) -> None:
        """Raises CommitUnsure if a statement since the last call has committed on the primary alone."""
        unsure, self._unsure = self._unsure, False
        if unsure:
            raise CommitUnsure("the wait for a standby was cancelled")

    async def bound(self, milliseconds: str) -> None:
        """Lets no transaction last longer, where the server can."""
        if self.get_server_version().major >= patience.TRANSACTION_SINCE:
            await self.execute(f"set {patience.TRANSACTION} = {milliseconds}")

    async def foresee(self, *queries: str) -> None:
        """Lets the server parse statements, those that it hasn't yet: before a transaction, or before a lock is taken.

        Between the parsing of a statement and its arguments a process that freezes keeps its locks (`patience`).
        """
        for query in queries:
            await self._get_statement(query, None)

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> str:
        """As the driver's. Raises CommitUnsure, too."""
        if _COMMITS.search(query):
            return await self._commit(query, *arguments, timeout=timeout)
        status: str = await self._watched(super().execute(query, *arguments, timeout=timeout))
        return status

    async def _commit(self, query: str, *arguments: Any, timeout: float | None) -> str:
        self._warned = self._unsure = False
        # Over what was cut before, the driver sends nothing.
        self.is_committing = not self.is_closed()
        try:
            status: str = await super().execute(query, *arguments, timeout=timeout)
        except LOST_AT_COMMIT as error:
            if isinstance(error, DEMOTED):
                self.when_demoted()
            if not self.is_committing or isinstance(error.__cause__, asyncpg.IdleInTransactionSessionTimeoutError):
                raise  # the server had ended the session before it heard of the commit
            raise CommitUnsure(f"{type(error).__name__}: {error}") from error
        except Exception:
            self.is_committing = False
            raise
        self.is_committing = False
        if self._warned:
            self._unsure = False
            raise CommitUnsure("the server warned on commit")
        return status

    async def _execute(self, *arguments: Any, **options: Any) -> Any:
        """What `fetch` and its like, and statements with arguments, go through."""
        return await self._watched(super()._execute(*arguments, **options))

    async def _watched(self, work: Awaitable[Any]) -> Any:
        try:
            result = await work
        except DEMOTED:
            self.when_demoted()
            raise
        self.require_sure()
        return result


def _hear(connection: Any, message: asyncpg.PostgresLogMessage) -> None:
    connection.hear(message)
