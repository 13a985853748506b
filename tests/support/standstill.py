"""What servers say of a move that stands still: a test that gives up waiting shows it, as it won't be seen again."""

import os
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from gameserver.app import Core
from gameserver.storage.postgres import statements
from tests.support.deployment import connected

SQL = statements.load(__package__, "standstill.sql")
LINES = 200
"""Of the end of each server's log."""


async def standstill(core: Core) -> str:
    """What the databases and their logs say, those that answer."""
    found = list[str]()
    for name in core.databases.names():
        try:
            found += [f"{name}, {line}" for line in await _said(core.databases[name].url)]
        except (OSError, asyncpg.PostgresError) as error:
            found.append(f"{name}: {error!r}")
    return "\n".join(found)


async def _said(url: SecretStr) -> list[str]:
    found = list[str]()
    async with connected(url) as connection:
        for title, question in SQL.items():
            found += [f"{title}: {dict(row)}" for row in await connection.fetch(question)]
        folder = Path(await connection.fetchval("show data_directory"))
    postmaster = (folder / "postmaster.pid").read_text().split()[0]
    log = Path(os.readlink(f"/proc/{postmaster}/fd/2"))
    return found + log.read_text(errors="replace").splitlines()[-LINES:]
