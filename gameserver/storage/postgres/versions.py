"""Which versions of Postgres nodes work on."""

import asyncpg

OLDEST = 16


def fault(connection: asyncpg.Connection, database: str) -> str | None:
    """A sentence, with what to do, if this connection's server is too old. It asks nothing: the server has told it."""
    version = connection.get_server_version()
    if version.major >= OLDEST:
        return None
    return f"database {database}: its version is {version.major}.{version.minor}: use Postgres {OLDEST} or later"
