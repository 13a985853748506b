"""Connections to the databases that are backed up, wherever their primaries are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from pydantic import SecretStr

from gameserver.stack.errors import StackError
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import LOST
from gameserver.storage.sharding import identity


@asynccontextmanager
async def connected(name: str, url: SecretStr, deployment: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database's primary, whose statements may take some seconds each.

    Raises StackError for whatever the server refuses, also inside the block, and where another database is than that
    of this name and, where it is known, this deployment.
    """
    database = Database(name, url)
    try:
        connection = await database.connect_unjudged({})
        try:
            # Which is the control database isn't known here: its tables may have another name for it than the settings.
            if wrong := identity.mismatch(name, await identity.read(connection), deployment, control=name):
                raise StackError(f"{wrong}.")
            yield connection
        finally:
            connection.terminate()
    except (*LOST, asyncpg.PostgresError) as error:
        raise StackError(f"{name} can't be used: {type(error).__name__}: {error}") from None
    finally:
        await database.dispose()
