"""Why a database can't be used, and what to do: for operators, in the log and on the command line, never for players.

The text names no host and no password; Postgres' own message is added where it says more than this does.
"""

import socket
import ssl

import asyncpg

from gameserver.storage.postgres.driver import CommitUnsure
from gameserver.storage.postgres.passfile import PassfileFault


class Unfit(ConnectionError):
    """A database answers, but must not be used; the text is a sentence for operators that says why."""


class Unreconciled(Unfit):
    """A database was failed over or restored, and hasn't been compared with the slot map since."""


class NoPrimary(Unfit):
    """What answers takes no writes: it is a replica by now, or was demoted."""


_SENTENCES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (
        asyncpg.InvalidPasswordError,
        "refuses the role or its password: correct the URL in the settings, or the password file",
    ),
    (asyncpg.InvalidAuthorizationSpecificationError, "doesn't let this role in: look at its roles and at pg_hba.conf"),
    (asyncpg.InvalidCatalogNameError, "has no database of this name on its server: create it, or correct the URL"),
    (
        asyncpg.TooManyConnectionsError,
        "has no connection left: raise max_connections there or the role's limit, or run fewer nodes",
    ),
    (asyncpg.CannotConnectNowError, "is starting up or shutting down, and can be used when it is done"),
    (asyncpg.ReadOnlySQLTransactionError, "is read-only: the URL leads to a replica, or the primary was demoted"),
    (asyncpg.InsufficientPrivilegeError, "denies this role what it needs: look at its rights there"),
    (asyncpg.DiskFullError, "has no space left on its disk"),
    (asyncpg.QueryCanceledError, "took too long for a statement, or an operator cancelled it"),
    (asyncpg.exceptions.IdleSessionTimeoutError, "ended a connection that did nothing for long"),
    (asyncpg.exceptions.DatabaseDroppedError, "was dropped on its server"),
    (asyncpg.exceptions.OperatorInterventionError, "ended the connection: it is restarting, or an operator did that"),
    (
        (asyncpg.IdleInTransactionSessionTimeoutError, asyncpg.exceptions.TransactionTimeoutError),
        "ended a transaction that took too long: this process stood still, or one of them is overloaded",
    ),
    (asyncpg.LockNotAvailableError, "took too long for a lock"),
    (ssl.SSLError, "can't be reached over TLS: look at its certificate and at sslmode in the URL"),
    (socket.gaierror, "can't be found: the name of its host in the URL has no address"),
    (ConnectionRefusedError, "refuses connections: nothing listens at the address in its URL"),
    (CommitUnsure, "may have committed what its standby doesn't have: look at its standbys"),
    (TimeoutError, "does not answer in time: it is overloaded or frozen, or a network lies in between that drops"),
)
_BEYOND = "has lost the connection"
_LONGEST = 200


def root(error: BaseException) -> BaseException:
    """What Postgres said and another error was made from; the error itself where Postgres said nothing."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, asyncpg.PostgresError):
        cause = cause.__cause__
    return error if cause is None else cause


def explained(database: str, error: BaseException) -> str:
    """A sentence on a database that can't be used."""
    cause = root(error)
    if isinstance(cause, Unfit):
        return str(cause)
    if isinstance(cause, PassfileFault):
        return f"The database {database} can't be asked: {cause}"
    sentence = next((text for kind, text in _SENTENCES if isinstance(cause, kind)), _BEYOND)
    said = f" ({str(cause).partition(chr(10))[0][:_LONGEST]})" if isinstance(cause, asyncpg.PostgresError) else ""
    return f"The database {database} {sentence}{said}."


def is_silent(error: BaseException) -> bool:
    """Whether the server said nothing, rather than that it refuses something."""
    return not isinstance(root(error), asyncpg.PostgresError | Unfit)
