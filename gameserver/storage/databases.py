"""The Postgres instances, and the one place where their drivers' errors become ours.

SQLAlchemy's engine serves everything but the hot path; group commit, coalesced reads and followers hold driver
connections of their own (`Link`), whose prepared batches are most of what a node's core does.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.telemetry import DATABASE_FAULTS

log = structlog.get_logger()

CONNECT_SECONDS = 3.0
QUERY_SECONDS = 5.0
REST_SECONDS = 1.0
POOL = 5
"""Connections to each database for everything that isn't on the hot path."""
TIMEOUTS = {"idle_in_transaction_session_timeout": "2000", "statement_timeout": "5000", "lock_timeout": "3000"}
"""In milliseconds: the first takes the locks from a node that froze in the middle of a transaction."""
LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""What says that a database or its connection is away, and nothing of what was asked."""
BUSY = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.exceptions.InsufficientResourcesError,
)
"""What may go well when it is tried again."""


class Database:
    """One Postgres instance."""

    def __init__(self, name: str, url: str, *, patient: bool = False) -> None:
        """`patient` for migrations: statements and transactions may take as long as they need."""
        self.name = name
        self.url = url
        self._query_seconds = None if patient else QUERY_SECONDS
        timeouts = {} if patient else TIMEOUTS
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: self.connect(timeouts),
            pool_size=POOL,
            max_overflow=0,
            pool_timeout=QUERY_SECONDS,
        )

    async def connect(self, settings: Mapping[str, str]) -> asyncpg.Connection:
        """A driver connection with these server settings. Raises one of LOST, whatever the server objects to."""
        try:
            return await asyncpg.connect(
                self.url,
                timeout=CONNECT_SECONDS,
                command_timeout=self._query_seconds,
                server_settings={"application_name": "gameserver", "jit": "off", **settings},
            )
        except asyncpg.PostgresError as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction through the engine. Raises DatabaseUnavailable."""
        with translated(self.name):
            async with self.engine.connect() as opened:
                connection = await opened.execution_options(isolation_level="READ COMMITTED")
                async with connection.begin():
                    yield connection

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A read-only transaction whose statements all see one moment. Raises DatabaseUnavailable."""
        with translated(self.name):
            async with self.engine.connect() as opened:
                connection = await opened.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with connection.begin():
                    yield connection

    async def ask(self, statement: str, *arguments: object) -> Sequence[Any]:
        """The rows of one statement with `$1`…, which is a transaction of its own. Raises DatabaseUnavailable."""
        with translated(self.name):
            async with self.engine.connect() as opened:
                connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
                return (await connection.exec_driver_sql(statement, arguments)).fetchall()

    @contextlib.asynccontextmanager
    async def fenced(self, group: str) -> AsyncIterator[AsyncConnection]:
        """A transaction that may write the group's rows here, after it has asked `owned` in a later statement."""
        async with self.transaction() as connection:
            await connection.execute(text(f"select pg_advisory_xact_lock_shared({FENCES[group]})"))
            yield connection


HOT_PATH = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""Settings for statements over `unnest`: planned once, and always row by row through the primary key, whatever the
statistics say of a table that was small or new when they were made."""
ONE_BY_ONE = text(
    "select set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), "
    "set_config('enable_mergejoin', 'off', true)"
)
FENCES = {"accounts": 7_710_001, "players": 7_710_002, "items": 7_710_003}
"""The advisory lock of each group: writers hold it shared, a change of ownership takes it exclusively."""
MIGRATING, FOLLOWING, CARRYING = 7_710_100, 7_710_101, 7_710_103


async def one_by_one(connection: AsyncConnection) -> None:
    """From here on this transaction goes through primary keys, whatever the statistics say of a table that grows."""
    await connection.execute(ONE_BY_ONE)


@contextlib.contextmanager
def translated(database: str) -> Iterator[None]:
    """Turns drivers' errors that say 'away' or 'busy' into DatabaseUnavailable; lets the others through."""
    try:
        yield
    except DBAPIError as error:
        cause = getattr(error.orig, "__cause__", None)
        if isinstance(cause, (*LOST, *BUSY)) or error.connection_invalidated:
            raise _unavailable(database, cause or error) from error
        raise
    except (*LOST, *BUSY, PoolTimeoutError) as error:
        raise _unavailable(database, error) from error


def _unavailable(database: str, error: BaseException) -> DatabaseUnavailable:
    DATABASE_FAULTS.labels(database, type(error).__name__).inc()
    log.warning("database unavailable", database=database, error=f"{type(error).__name__}: {error}")
    return DatabaseUnavailable(f"The database {database} does not answer.", retry_after=1)


class Link:
    """One driver connection that is opened when it is needed and again after it was lost. Not for sharing."""

    def __init__(self, database: Database, settings: Mapping[str, str]) -> None:
        self._database = database
        self._settings = settings
        self._connection: asyncpg.Connection | None = None
        self.warned = False
        """Whether the server warned since this was last set to False."""

    async def open(self) -> asyncpg.Connection:
        """Raises one of LOST."""
        if self._connection is None or self._connection.is_closed():
            connection = await self._database.connect(self._settings)
            connection.add_log_listener(self._hear)
            self._connection = connection
        return self._connection

    def _hear(self, _: asyncpg.Connection, message: asyncpg.PostgresLogMessage) -> None:
        self.warned = self.warned or message.severity_en == "WARNING"

    async def rest(self) -> None:
        """Ends the transaction that was begun ahead, if one was; to be called before a wait."""
        if self._connection is None or not self._connection.is_in_transaction():
            return
        try:
            await self._connection.execute("rollback", timeout=REST_SECONDS)
        except (*LOST, asyncpg.PostgresError):
            self.drop()

    def drop(self) -> None:
        """Ends the connection at once: what it was doing is rolled back by the server."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(*LOST, asyncpg.PostgresError):
                await connection.close(timeout=1)


class Databases:
    """All databases by name."""

    def __init__(self, urls: Mapping[str, str], *, patient: bool = False) -> None:
        self._databases = {name: Database(name, url, patient=patient) for name, url in urls.items()}
        self._patient = patient

    def join(self, name: str, url: str) -> None:
        """Adds one that wasn't known at first; what the settings say of a name stays."""
        if name not in self._databases:
            self._databases[name] = Database(name, url, patient=self._patient)

    def __contains__(self, name: object) -> bool:
        return name in self._databases

    def __getitem__(self, name: str) -> Database:
        return self._databases[name]

    def names(self) -> list[str]:
        return list(self._databases)

    async def close(self) -> None:
        await asyncio.gather(*(database.engine.dispose() for database in self._databases.values()))
