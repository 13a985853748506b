"""What a database must be like before tables are made in it, and what is said when Postgres refuses a migration."""

from collections.abc import Sequence

import asyncpg

from gameserver.storage.postgres import statements

SQL = statements.load(__package__, "requirements.sql")
ENCODING = "UTF8"


async def faults(connection: asyncpg.Connection, database: str) -> Sequence[str]:
    """A sentence, with what to do, for each reason why no tables can be made. Raises what the driver does."""
    facts, sentences = await connection.fetchrow(SQL["requirements"]), []
    if facts["encoding"] != ENCODING:
        sentences.append(
            f"database {database}: its encoding is {facts['encoding']}: create the database with encoding {ENCODING}"
        )
    if not facts["may_create"]:
        sentences.append(
            f"database {database}: the role {facts['role']} may not create tables there: make the role the owner of "
            f"the database, or grant create on schema public to it"
        )
    return sentences


def interrupted(group: str, step: str) -> str:
    """A sentence on tables of a group whose migration to the revision `step` was refused."""
    return f"Its {group} tables were on their way to {step}: run `gameserver migrate` again when that is mended."
