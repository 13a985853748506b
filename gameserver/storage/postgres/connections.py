"""How many connections a node takes from a database at the most."""

from collections.abc import Set

from gameserver.storage.postgres.database import REPORTS
from gameserver.storage.postgres.shares import POOL

READERS = 2
"""Connections of coalesced reads."""
CLAIMS, BIRTHS, KEYS, LISTS, INBOXES = 1, 1, 1, 1, 1
"""What sign-ups and changes of keys share, on a database of claims and on one of players; and what changes of lists do,
and letters that are deleted."""
PROOFS = 1
"""What reads share that their primary has to prove."""
LOOK_UPS = 1
"""What is shared to look claims up, and on a database of players the holders of credentials, sign-ups, and keys."""
FOLLOWER, COURIER, RETENTION = 1, 1, 1
MAP, SEASONS = 1, 2
"""On the control database: notices of the slot map; what closes a season."""
CLOSING = 2
"""On a database of players, while a season is closed there."""
PREVIEWS = REPORTS
"""On a database of players, of seasons, which take the turns of reports."""
MOVING = 4
"""While slots move to or from the database: the mover's, and those of Postgres's own replication."""


def per_node(groups: Set[str], in_flight: int) -> int:
    """With these groups on the database, and so many group commits at a time; without moves of slots."""
    needed = POOL + REPORTS
    if "players" in groups:
        needed += in_flight + READERS + 3 * LOOK_UPS + BIRTHS + KEYS + LISTS + INBOXES + PROOFS
        needed += FOLLOWER + COURIER + RETENTION + CLOSING + PREVIEWS
    if "accounts" in groups:
        needed += CLAIMS + LOOK_UPS
    if "control" in groups:
        needed += MAP + SEASONS
    return needed
