"""Why a database can't be used, and what to do: for operators, in the log and on the command line, never for players.

The text names no host and no password; Postgres' own message is added where it says more than this does.
"""

import socket
import ssl
from typing import NamedTuple

import asyncpg

from gameserver.storage.postgres.driver import CommitUnsure, Lineage
from gameserver.storage.postgres.passfile import PassfileFault


class Unfit(ConnectionError):
    """A database answers, but must not be used; the text is a sentence for operators that says why."""

    lineage: Lineage | None = None
    """That of what has answered, if it has said that."""


class Unreconciled(Unfit):
    """A database was failed over or restored, and hasn't been compared with the slot map since."""


class NoPrimary(Unfit):
    """What answers takes no writes: it is a replica by now, or was demoted."""


class Cause(NamedTuple):
    """What errors of these kinds say about a database, and what to do."""

    kinds: tuple[type[BaseException], ...]
    what: str
    remedy: str


_UNDEFINED = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidSchemaNameError,
)
_CAUSES = (
    Cause(
        (asyncpg.InvalidPasswordError,),
        "refuses the role or its password",
        "correct the URL in the settings, or the password file",
    ),
    Cause(
        (asyncpg.InvalidAuthorizationSpecificationError,),
        "doesn't let this role in",
        "look at its roles and at pg_hba.conf",
    ),
    Cause(
        (asyncpg.InvalidCatalogNameError,),
        "has no database of this name on its server",
        "create it, or correct the URL",
    ),
    Cause(
        (asyncpg.TooManyConnectionsError,),
        "has no connection left",
        "raise max_connections there or the role's limit, or run fewer nodes",
    ),
    Cause((asyncpg.CannotConnectNowError,), "is starting up or shutting down", "it can be used when it is done"),
    Cause(
        (asyncpg.ReadOnlySQLTransactionError,),
        "is read-only",
        "correct the URL if it leads to a replica; else look why its primary was demoted or made read-only",
    ),
    Cause((asyncpg.InsufficientPrivilegeError,), "denies this role what it needs", "look at its rights there"),
    Cause(
        _UNDEFINED,
        "lacks a part of its tables",
        "run `gameserver migrate`",
    ),
    Cause((asyncpg.DiskFullError,), "has no space left on its disk", "make room there"),
    Cause(
        (asyncpg.QueryCanceledError,),
        "took too long for a statement, or an operator cancelled it",
        "look at its load, and at what it waits for",
    ),
    Cause((asyncpg.exceptions.IdleSessionTimeoutError,), "ended a connection that did nothing for long", "try again"),
    Cause(
        (asyncpg.exceptions.DatabaseDroppedError,), "was dropped on its server", "create it anew, or correct the URL"
    ),
    Cause(
        (asyncpg.exceptions.OperatorInterventionError,),
        "ended the connection",
        "it is restarting, or an operator did that",
    ),
    Cause(
        (asyncpg.IdleInTransactionSessionTimeoutError, asyncpg.exceptions.TransactionTimeoutError),
        "ended a transaction that took too long",
        "this process stood still, or one of them is overloaded",
    ),
    Cause(
        (asyncpg.LockNotAvailableError,), "took too long for a lock", "look for the session that has it, as an export's"
    ),
    Cause((ssl.SSLError,), "can't be reached over TLS", "look at its certificate and at sslmode in the URL"),
    Cause((socket.gaierror,), "can't be found, since the name of its host has no address", "correct the URL"),
    Cause(
        (ConnectionRefusedError,),
        "refuses connections, since nothing listens at the address in its URL",
        "start it, or correct the URL",
    ),
    Cause((CommitUnsure,), "may have committed what its standby doesn't have", "look at its standbys"),
    Cause(
        (TimeoutError,),
        "does not answer in time",
        "it is overloaded or frozen, or a network lies in between that drops",
    ),
    Cause((asyncpg.PostgresConnectionError,), "has lost the connection", "look whether it runs, and at its log"),
    Cause((asyncpg.PostgresError,), "refuses a statement", "look at its log"),
    Cause((BaseException,), "has lost the connection", "look whether it runs, and at its log"),
)
_LONGEST = 200
REAL_POSTGRES = "look whether it is Postgres itself, in a version that nodes work on"


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
    _, what, remedy = _cause_of(cause)
    return f"The database {database} {what}: {remedy}{_said(cause)}."


def told(database: str, error: BaseException) -> tuple[str, str]:
    """What is wrong with a database that can't be used, and what to do."""
    cause = root(error)
    if isinstance(cause, NoPrimary):
        return str(cause), "correct the URL, or see that a server there is the primary and takes writes"
    if isinstance(cause, Unfit):
        return str(cause), "correct the URL in the settings"
    if isinstance(cause, PassfileFault):
        return explained(database, error), "correct the password file"
    _, what, remedy = _cause_of(cause)
    return f"The database {database} {what}{_said(cause)}", remedy


def told_of_server(database: str, error: BaseException) -> tuple[str, str]:
    """The same where the server itself was asked, and none of the product's tables: no migration helps there."""
    cause = root(error)
    if not isinstance(cause, _UNDEFINED):
        return told(database, error)
    return f"The database {database} doesn't know what it is asked for{_said(cause)}", REAL_POSTGRES


def _cause_of(error: BaseException) -> Cause:
    return next(cause for cause in _CAUSES if isinstance(error, cause.kinds))


def _said(error: BaseException) -> str:
    return f" ({str(error).partition(chr(10))[0][:_LONGEST]})" if isinstance(error, asyncpg.PostgresError) else ""


def is_silent(error: BaseException) -> bool:
    """Whether the server said nothing, rather than that it refuses something."""
    return not isinstance(root(error), asyncpg.PostgresError | Unfit)


def is_away(error: BaseException) -> bool:
    """Whether a server may answer later without anything being corrected: it is silent, or is starting."""
    cause = root(error)
    return not isinstance(cause, PassfileFault) and (
        is_silent(cause) or isinstance(cause, asyncpg.CannotConnectNowError)
    )
