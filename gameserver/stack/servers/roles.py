"""The roles of an embedded Postgres, their passwords and the nodes' database, made when they are missing.

Law: no password is in any statement, so none gets into the server's log, also when a statement fails. What is sent is
the verifier that Postgres would store (SCRAM-SHA-256, RFC 5802), from which the password can't be read.
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Mapping, Sequence

import asyncpg
from pydantic import SecretStr

ROLE = "gameserver"
SUPERUSER = "postgres"
CONNECT_SECONDS = 30
DRIVER_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a server that isn't there, is cut off or refuses is told with."""

_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$")


def verifier(password: SecretStr, salt: bytes, iterations: int) -> str:
    """What Postgres stores for a password of ASCII letters, digits, `-` and `_`."""
    salted = hashlib.pbkdf2_hmac("sha256", password.get_secret_value().encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored)}:{_text(server)}"


async def connect_first(address: tuple[str, int], passwords: Sequence[SecretStr]) -> asyncpg.Connection:
    """The superuser's connection; afterwards the first of the passwords is its password.

    A later one is what the data was made with. Raises InvalidPasswordError when none fits, and what the driver raises.
    """
    for password in passwords:
        try:
            connection = await _connect(SUPERUSER, password, address)
        except asyncpg.InvalidPasswordError:
            continue
        if password != passwords[0]:
            await _set_password(connection, SUPERUSER, passwords[0])
        return connection
    raise asyncpg.InvalidPasswordError


async def provide(connection: asyncpg.Connection, password: SecretStr) -> None:
    """The nodes' role, with the rights that moving slots needs, and its database; waits for no replica.

    Its password is compared with the verifier and not tried: nodes that came back first may have taken every connection
    but those reserved for the superuser.
    """
    await connection.execute("set synchronous_commit = local")
    if not await connection.fetchval("select exists(select from pg_roles where rolname = $1)", ROLE):
        await connection.execute(f"create role {ROLE} login createdb in role pg_monitor")
    stored = await connection.fetchval("select rolpassword from pg_authid where rolname = $1", ROLE)
    if not _fits(password, stored):
        await _set_password(connection, ROLE, password)
    await connection.execute(f"alter role {ROLE} replication")
    await connection.execute(f"grant pg_create_subscription to {ROLE}")
    if not await connection.fetchval("select exists(select from pg_database where datname = $1)", ROLE):
        await connection.execute(f"create database {ROLE} owner {ROLE}")


async def set_passwords(connection: asyncpg.Connection, passwords: Mapping[str, SecretStr]) -> None:
    """Gives roles that there are these passwords, and leaves out those that there aren't."""
    for role, password in passwords.items():
        if await connection.fetchval("select exists(select from pg_roles where rolname = $1)", role):
            await _set_password(connection, role, password)


async def _connect(role: str, password: SecretStr, address: tuple[str, int]) -> asyncpg.Connection:
    host, port = address
    secret = password.get_secret_value()
    return await asyncpg.connect(
        host=host, port=port, user=role, password=secret, database="postgres", ssl=False, timeout=CONNECT_SECONDS
    )


async def _set_password(connection: asyncpg.Connection, role: str, password: SecretStr) -> None:
    iterations = int(await connection.fetchval("show scram_iterations"))
    await connection.execute(f"alter role {role} password '{verifier(password, os.urandom(16), iterations)}'")


def _fits(password: SecretStr, stored: str | None) -> bool:
    form = _VERIFIER.match(stored or "")
    return form is not None and verifier(password, base64.b64decode(form[2]), int(form[1])) == stored


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
