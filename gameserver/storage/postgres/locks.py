"""Every advisory lock of the product: one registry, so that no two purposes share a number.

Hand-written SQL takes them as parameters; nothing else in the code may name one of these numbers.
"""

FENCES = {"accounts": 7_710_001, "players": 7_710_002, "items": 7_710_003}
"""Of each group: writers hold it shared, a change of ownership takes it exclusively."""

MIGRATING = 7_710_100
"""Of the one who brings a database's tables to their newest revision."""

FOLLOWING = 7_710_101
"""Of the one follower of a database's ledger."""

MAKING_PARTITIONS = 7_710_102
"""Of the one who makes the ledger's partitions."""

CARRYING = 7_710_103
"""Of the one courier of a database's outbox."""

CLOSING = 7_710_104
"""Of the one who closes seasons."""
