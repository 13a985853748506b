"""How long Postgres waits for whoever opened a session, by purpose; every connection of the product has such settings.

Law: a process may freeze at any moment, and must not keep a lock for ever. Time-outs of Postgres, all in
milliseconds, end its session: between two transactions `idle_session_timeout`, for who keeps a lock of the session;
between two statements of a transaction `idle_in_transaction_session_timeout`; and wherever in a transaction it is,
`transaction_timeout`. Only that one ends a session which waits for the arguments of a statement that it has parsed: the
driver asks for its parsing, and sends them when it knows their types. Postgres has it since version 17; for 16 there
are `sole_locks` and `DriverConnection.foresee`. None of them ends a session that sends a result which nobody reads, but
`tcp_user_timeout` does, over TCP. A transaction isn't ended by it once its commit has begun.
"""

from collections.abc import Mapping

TRANSACTION = "transaction_timeout"
TRANSACTION_SINCE = 17
"""The version of Postgres that knows it."""
LONGEST = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "60000",
    TRANSACTION: "120000",
    "tcp_user_timeout": "20000",
}
"""Of every connection that has no others (`own_settings`): a hoster's `statement_timeout` must not end a migration or
an export. Those who may take longer than these, or never take so long, have their own."""
POOLED = {
    "idle_in_transaction_session_timeout": "2000",
    "statement_timeout": "5000",
    "lock_timeout": "3000",
    TRANSACTION: "15000",
}
"""Of the pools: a few statements, none of which the node waits for longer than 5 s."""
UNHURRIED = {"idle_in_transaction_session_timeout": "60000", TRANSACTION: "0"}
"""Of migrations and other commands of an operator: a table may be rewritten for hours."""
UNHURRIED_READS = {"idle_in_transaction_session_timeout": "900000", TRANSACTION: "1800000"}
"""Of snapshots of several databases, each of which may wait for the others to sort all that they have: exports, too."""
FENCING = {"idle_in_transaction_session_timeout": "1000", TRANSACTION: "5000"}
"""Of transactions that hold a fence alone, which every write to the database waits for."""


def at_start(settings: Mapping[str, str]) -> dict[str, str]:
    """What a connection may ask for while it is opened: a server refuses one that names a setting it doesn't know."""
    return {name: value for name, value in settings.items() if name != TRANSACTION}
