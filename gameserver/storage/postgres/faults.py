"""Driver errors, translated in one place."""

import contextlib
from collections.abc import Iterator

import asyncpg
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gameserver.rules.errors import DatabaseUnavailable, OutcomeUnknown
from gameserver.storage.postgres import causes
from gameserver.storage.postgres.driver import CommitUnsure
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
    asyncpg.exceptions.TransactionTimeoutError,
)
"""Errors which mean that a database or a connection to it is away; the statement itself isn't at fault."""


BUSY = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.InvalidCachedStatementError,
)
"""Errors of statements that may succeed when tried again, over another connection: the last one after a migration."""


@contextlib.contextmanager
def translated(database: str) -> Iterator[None]:
    """Turns LOST and BUSY, also when SQLAlchemy wraps them, into DatabaseUnavailable; other errors pass.

    CommitUnsure, one of LOST, becomes OutcomeUnknown, which is one of DatabaseUnavailable.
    """
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
    """Its note says for operators, in the log and on the command line, what is wrong and what to do."""
    DATABASE_FAULTS.labels(database, type(causes.root(error)).__name__).inc()
    if isinstance(error, PoolTimeoutError):
        problem = f"The database {database} is slow, or asked too much: {error}."
    else:
        problem = causes.explained(database, error)
    log.warning("database unavailable", database=database, error=f"{type(error).__name__}: {error}", problem=problem)
    if isinstance(error, CommitUnsure):
        return OutcomeUnknown(retry_after=1)
    does = "does not answer" if causes.is_silent(error) else "can't be used right now"
    unavailable = DatabaseUnavailable(f"The database {database} {does}.", retry_after=1)
    unavailable.add_note(problem)
    return unavailable
