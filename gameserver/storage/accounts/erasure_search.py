"""Looking for an erased player in what isn't its own, on every database of players.

That is inboxes, outboxes, ledgers, bans and devices of others, and what rules keep of them.

Law: a search changes nothing and is bounded: each store of each database is scanned for as long as a statement may run
there (5 s), and one that took longer is named as not searched. A letter of the player that still says something is a
fault of the erasure. A name that is found as a word is a mention: it may be another player's, or a word of the game.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text

from gameserver.rules.errors import Unavailable
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import Slots

SQL = {name: text(statement) for name, statement in statements.load(__package__, "erasure_search.sql").items()}
LETTERS = ("inbox", "outbox", "ledger", "kept")
"""Stores that have letters of the player, which say something until they are erased."""
STORES = (*LETTERS, "bans", "devices", "players")


@dataclass(slots=True)
class Elsewhere:
    """Letters of the player that still say something, mentions of its names by store, and what wasn't searched."""

    letters: int = 0
    mentions: dict[str, int] = field(default_factory=dict)
    unsearched: list[str] = field(default_factory=list)


async def search_others(slots: Slots, player_id: int, names: Sequence[str]) -> Elsewhere:
    """Searches one store after the other, so that it costs each database one process at the most."""
    found = Elsewhere()
    for database in slots.members("players"):
        for store in STORES:
            letters = await _count(database, f"letters_{store}", found, id=player_id) if store in LETTERS else 0
            mentions = await _count(database, f"words_{store}", found, id=player_id, words=words(names)) if names else 0
            found.letters += letters
            if mentions:
                found.mentions[store] = found.mentions.get(store, 0) + mentions
    return found


def words(names: Sequence[str]) -> str:
    """A pattern, as Postgres reads it, of any of the names, not as a part of a longer word."""
    escaped = "|".join(re.sub(r"([^\w ])", r"\\\1", name) for name in names)
    return rf"(^|[^[:alnum:]])({escaped})($|[^[:alnum:]])"


async def _count(database: Database, statement: str, found: Elsewhere, **named: object) -> int:
    """0 for a store that can't be searched, which is noted."""
    place = f"{database.name}: {statement.partition('_')[2]}"
    if place in found.unsearched:
        return 0
    try:
        async with database.snapshot() as connection:
            return int((await connection.execute(SQL[statement], named)).scalar_one())
    except Unavailable:
        found.unsearched.append(place)
        return 0
