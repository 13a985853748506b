"""Driver errors, translated in one place."""

import contextlib
from collections.abc import Iterator

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.telemetry import DATABASE_FAULTS

log = structlog.get_logger()


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
