"""Every advisory lock of the product: one registry, so that no two purposes share a number.

Law: SQL takes these numbers as parameters; only this file and the migrations, which are history, may spell one out.
"""

FENCES = {"accounts": 7_710_001, "players": 7_710_002, "items": 7_710_003}
"""By group: writers hold it shared; a change of ownership takes it exclusively."""

MIGRATING = 7_710_100
"""Held while a database's tables are brought to their newest revision."""

FOLLOWING = 7_710_101
"""Held by the one follower of a database's ledger."""

MAKING_PARTITIONS = 7_710_102
"""Held while partitions of the ledger are made."""

FORGETTING = 7_710_105
"""Held by the one node that drops old partitions of a database's ledger."""

KEEPING = 7_710_119
"""Held while rows of a week are copied to `ledger_kept`; shared by whoever erases what stands in either of the two."""

COPYING = 7_710_110
"""Held by the one move whose rows a database is being sent."""

CARRYING = 7_710_103
"""Held by the one courier of a database's outbox."""

CLOSING = 7_710_104
"""Held by the one node that closes seasons."""

RECONCILING = 7_710_106
"""Held, on the control database, by whoever compares databases with the slot map."""

SENDING = 7_710_107
"""Held, on the control database, by the one node that sends the letters of campaigns."""

CHANGING_KEYS = 7_710_108
"""Held, on the control database, by whoever makes, rotates or revokes a key of an operator."""

CLAIMING_COMMAND = 7_710_109
"""With a hash of a command's id, on the control database: held while it is looked for in the audit log."""
