"""Letters that a player sees are found without those that were refused: how many of them there are, others decide.

An entry for each letter that takes effect; a refused one has none.
"""

from gameserver.storage.tables import indexes

revision = "players_0030"
down_revision = "players_0029"


def upgrade() -> None:
    indexes.build("inbox_shown", "inbox (slot, player_id, mail_id) where refused is null")
