"""What every connection of the product has, whatever the server, the database or the role have."""

from gameserver.storage.postgres import patience

EVERYWHERE = {
    "application_name": "gameserver",
    "default_transaction_isolation": "read committed",
    "jit": "off",
    "search_path": "public",
    "synchronous_commit": "on",
    **patience.LONGEST,
}
"""A `search_path` must not hide tables, and what is acknowledged must be on disk."""
