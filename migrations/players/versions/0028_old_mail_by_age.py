"""Old letters are found by their age, however the space of those before them was used again.

A B-tree, since a block range has letters of any age once its space is used again, and each look for old ones then read
the whole table. New letters are the youngest: an insert adds one entry at the right end, on a page that is in memory.
"""

from gameserver.storage.tables import indexes

revision = "players_0028"
down_revision = "players_0027"


def upgrade() -> None:
    indexes.build("inbox_age", "inbox (at)")
    indexes.drop("inbox_at")
