"""Another Postgres than the product runs, for the servers of tests: `GAMESERVER_TESTS_POSTGRES=16:/folder/of/programs`.

It is the major version, and where `initdb` and `postgres` are. What `gameserver up` runs in its own process is
the product's.
"""

import os
from pathlib import Path

from gameserver.stack.servers import binaries
from gameserver.stack.servers.postgres import PostgresServer

VARIABLE = "GAMESERVER_TESTS_POSTGRES"
OF_17 = ("--locale-provider", "--builtin-locale")
"""Options of `initdb` that an older one doesn't know."""


def use() -> None:
    """In this process from now on, if the variable is set."""
    major, _, programs = os.environ.get(VARIABLE, "").partition(":")
    if not programs:
        return
    binaries.POSTGRES_MAJOR, binaries.postgres = int(major), lambda: Path(programs)
    words = PostgresServer._making_command

    def known(self: PostgresServer, folder: Path, secret: Path) -> tuple[str, ...]:
        return tuple(word for word in words(self, folder, secret) if not word.startswith(OF_17))

    PostgresServer._making_command = known  # type: ignore[method-assign]
