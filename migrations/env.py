"""Runs one group's history over the connection that `gameserver.storage.tables.migrations` hands in."""

from alembic import context

from gameserver.storage.tables import METADATA

group = context.config.attributes["group"]

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA[group],
    version_table=f"alembic_version_{group}",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
