"""Looking for an erased player in what isn't its own: on every database of players, and among all claims.

That is inboxes, outboxes, ledgers, bans and devices of others, what rules keep of them, and the names that the player
has claimed, also those that it never got.

Law: a search changes nothing and is bounded: each store of each database is scanned for as long as a statement may run
there (5 s), and one that took longer is named as not searched. A letter of the player that still says something is one
that the erasure has to forget, or its fault. A name that is found as a word is a mention: it may be another player's,
or a word of the game.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from gameserver.rules.errors import Unavailable
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.accounts.erased_letters import ErasedLetter
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.slot_map import Slots

SQL = {name: text(statement) for name, statement in statements.load(__package__, "erasure_search.sql").items()}
LETTERS = ("inbox", "ledger", "kept")
"""Stores that have letters of the player, which say something until they are erased."""
STORES = (*LETTERS, "outbox", "bans", "devices", "players")


@dataclass(slots=True)
class Elsewhere:
    """What was found, and what wasn't searched.

    `letters` of the player still say something, `waiting` are on their way, `claims` are on names; `mentions` of its
    names are by store.
    """

    letters: list[ErasedLetter] = field(default_factory=list)
    claims: list[Key] = field(default_factory=list)
    waiting: int = 0
    mentions: dict[str, int] = field(default_factory=dict)
    unsearched: list[str] = field(default_factory=list)


async def search_own(slots: Slots, player_id: int) -> Elsewhere:
    """For letters and claims: one store after the other, so that it costs each database one process at the most."""
    found = Elsewhere()
    await _search_claims(slots, player_id, found)
    for database in slots.members("players"):
        await _search_letters(database, player_id, found)
    return found


async def search_others(slots: Slots, player_id: int, names: Sequence[str]) -> Elsewhere:
    """The same for letters, claims and all else."""
    found = Elsewhere()
    await _search_claims(slots, player_id, found)
    for database in slots.members("players"):
        await _search_letters(database, player_id, found)
        found.waiting += await _count(database, "waiting_outbox", found, id=player_id)
        for store in STORES if names else ():
            if mentions := await _count(database, f"words_{store}", found, id=player_id, words=words(names)):
                found.mentions[store] = found.mentions.get(store, 0) + mentions
    return found


def words(names: Sequence[str]) -> str:
    """A pattern, as Postgres reads it, of any of the names, not as a part of a longer word."""
    escaped = "|".join(re.sub(r"([^\w ])", r"\\\1", name) for name in names)
    return rf"(^|[^[:alnum:]])({escaped})($|[^[:alnum:]])"


async def _search_claims(slots: Slots, player_id: int, found: Elsewhere) -> None:
    for database in slots.members("accounts"):
        rows = await _ask(database, "names_claims", found, id=player_id)
        found.claims += [Key(KeyKind.NAME, row.key) for row in rows]


async def _search_letters(database: Database, player_id: int, found: Elsewhere) -> None:
    for store in LETTERS:
        rows = await _ask(database, f"letters_{store}", found, id=player_id)
        found.letters += [ErasedLetter(row.mail_id, row.player_id) for row in rows]


async def _count(database: Database, statement: str, found: Elsewhere, **named: object) -> int:
    rows = await _ask(database, statement, found, **named)
    return int(rows[0][0]) if rows else 0


async def _ask(database: Database, statement: str, found: Elsewhere, **named: object) -> Sequence[Any]:
    """No rows of a store that can't be searched, which is noted."""
    place = f"{database.name}: {statement.partition('_')[2]}"
    if place in found.unsearched:
        return ()
    try:
        async with database.snapshot() as connection:
            return (await connection.execute(SQL[statement], named)).all()
    except Unavailable:
        found.unsearched.append(place)
        return ()
