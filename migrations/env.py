"""Runs one group's history; connection and tables come from `gameserver.storage.tables.migrations`."""

from alembic import context

group = context.config.attributes["group"]

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    version_table=f"alembic_version_{group}",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
