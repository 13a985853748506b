"""Indexes of tables that may be full: built, and dropped, while they are read and written; used by the migrations."""

from alembic import op


def build(name: str, on: str, *, unique: bool = False) -> None:
    """Builds the index `on` a table's columns: `table (columns)`, with what else the index needs.

    What the migration did before this is committed: after an upgrade that was cut off here it is done again.
    """
    kind = "unique index" if unique else "index"
    # The index of such an upgrade is in the way, and not valid. What is done concurrently holds nobody up.
    _concurrently(f"drop index concurrently if exists {name}", f"create {kind} concurrently {name} on {on}")


def drop(name: str) -> None:
    """The same for an index that isn't needed any more."""
    _concurrently(f"drop index concurrently if exists {name}")


def _concurrently(*statements: str) -> None:
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        for statement in statements:
            op.execute(statement)
        op.execute("set lock_timeout = '1s'")
