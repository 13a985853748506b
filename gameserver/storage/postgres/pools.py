"""SQLAlchemy's pools of one database, which give up what leads to a server that is no primary any more.

SQLAlchemy itself takes only a closed connection for lost, and would go on with a demoted primary while that answers.
"""

from collections.abc import Awaitable, Callable

from sqlalchemy import AdaptedConnection, ExceptionContext, PoolProxiedConnection, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from gameserver.storage.postgres import causes
from gameserver.storage.postgres.driver import DEMOTED, DriverConnection

Connect = Callable[[], Awaitable[DriverConnection]]
REPLACED = "replaced"
"""Of a place in a pool: its connection has just been replaced."""


def pool(connect: Connect, size: int, seconds: float, doubt: Callable[[], None]) -> AsyncEngine:
    """A pool of `size` connections at the most, for which nobody waits longer than `seconds`.

    `doubt` is called after an error of a server that is no primary any more.
    """

    def judge(context: ExceptionContext) -> None:
        if isinstance(causes.root(context.original_exception), DEMOTED):
            context.is_disconnect = True
            doubt()

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, pool_size=size, max_overflow=0, pool_timeout=seconds
    )
    event.listen(engine.sync_engine, "invalidate", _cut)
    event.listen(engine.sync_engine, "checkout", _require_usable)
    event.listen(engine.sync_engine, "handle_error", judge)
    return engine


def driver_of(pooled: PoolProxiedConnection) -> DriverConnection:
    """The driver's connection under one of the pool."""
    connection = pooled.driver_connection
    assert isinstance(connection, DriverConnection)
    return connection


def _cut(connection: AdaptedConnection, *_: object) -> None:
    """Ends a connection that a pool gives up; left to SQLAlchemy, goodbyes to a silent database would take 2 s."""
    connection.driver_connection.terminate()


def _require_usable(connection: AdaptedConnection, record: ConnectionPoolEntry, _: object) -> None:
    """Makes a pool replace a connection that is closed, or whose server may be no primary any more.

    Also one that is still in a transaction, such as a commit that nobody waited for: what it reads may be old. Raises
    ConnectionError if the new one is no better, which another failover may bring about: a pool replaces one only once.
    """
    place = record.record_info
    assert place is not None
    if connection.driver_connection.is_usable() and not connection.driver_connection.is_in_transaction():
        place.pop(REPLACED, None)
    elif place.pop(REPLACED, False):
        raise ConnectionError("two connections in turn can't be used")
    else:
        place[REPLACED] = True
        raise DisconnectionError
