"""Looking for an erased player in what isn't its own: on every database of players, and among all claims.

That is inboxes, outboxes, ledgers, bans and devices of others, what rules keep of them, and the names that the player
has claimed, also those that it never got.

Law: a search changes nothing and is bounded: all stores of all databases are scanned at once, over the connections for
questions over all players, until one deadline, and what took longer is named as not searched. A letter of the player
that still says something is one that the erasure has to forget, or its fault. A name that is found as a word is a
mention: it may be another player's, or a word of the game.
"""

import asyncio
import re
import unicodedata
from collections.abc import Coroutine, Mapping, Sequence
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
STORE_SECONDS = 3.0
"""How long one store is searched at the most, so that the largest doesn't take all others' time; one that completeness
needs has half of what is left, if that is more."""
STORES = (*LETTERS, "outbox", "bans", "devices", "players")
UNSEPARATED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U000323af"
)
"""Letters of scripts that write words without spaces, or particles at once behind them: Thai and Lao, Burmese, Khmer,
Hangul, kana and Han, as ranges of a regular expression's brackets."""


@dataclass(slots=True)
class Elsewhere:
    """What was found, and what wasn't searched.

    `letters` of the player still say something, `waiting` are on their way, `claims` are on names; `mentions` of its
    names are by store. `is_sure` unless the player's letters or claims weren't searched for everywhere.
    """

    letters: list[ErasedLetter] = field(default_factory=list)
    claims: list[Key] = field(default_factory=list)
    waiting: int = 0
    mentions: dict[str, int] = field(default_factory=dict)
    unsearched: list[str] = field(default_factory=list)
    is_sure: bool = True


async def search_own(slots: Slots, player_id: int, deadline: float) -> Elsewhere:
    """For letters and claims, until a moment of the event loop's clock."""
    search = _Search(deadline, {"id": player_id})
    await asyncio.gather(*_own(slots, search))
    return search.ended()


async def search_others(slots: Slots, player_id: int, names: Sequence[str], deadline: float) -> Elsewhere:
    """The same for letters, claims and all else."""
    search = _Search(deadline, {"id": player_id})
    databases = slots.members("players")
    mentions = [search.mentions(database, store, names) for store in STORES if names for database in databases]
    # Those that a receipt's completeness needs are first in the queue for connections.
    await asyncio.gather(*_own(slots, search), *map(search.waiting, databases), *mentions)
    return search.ended()


def words(names: Sequence[str]) -> str:
    """A pattern, as Postgres reads it, of any of the names, not as a part of a longer word.

    That is told by letters of scripts that separate words: a Korean particle follows any name at once, and a name may
    end with a full stop.
    """
    return "|".join(_edge("^", name[0]) + _escaped(name) + _edge("$", name[-1]) for name in names)


def _escaped(name: str) -> str:
    return re.sub(r"([^\w ])", r"\\\1", name)


def _edge(end: str, beside: str) -> str:
    if re.match(rf"[{UNSEPARATED}]|[^\w]", beside) and not unicodedata.combining(beside):
        return ""
    return f"({end}|[^[:alnum:]]|[{UNSEPARATED}])"


def _own(slots: Slots, search: "_Search") -> list[Coroutine[Any, Any, None]]:
    claims = [search.claims(database) for database in slots.members("accounts")]
    return claims + [search.letters(database, store) for store in LETTERS for database in slots.members("players")]


class _Search:
    """One search under way."""

    def __init__(self, deadline: float, named: Mapping[str, object]) -> None:
        self._deadline, self._named = deadline, named
        self._found = Elsewhere()

    def ended(self) -> Elsewhere:
        self._found.unsearched = sorted(set(self._found.unsearched))
        return self._found

    async def claims(self, database: Database) -> None:
        rows = await self._ask(database, "names_claims", proves=True)
        self._found.claims += [Key(KeyKind.NAME, row.key) for row in rows]

    async def letters(self, database: Database, store: str) -> None:
        rows = await self._ask(database, f"letters_{store}", proves=True)
        self._found.letters += [ErasedLetter(row.mail_id, row.player_id) for row in rows]

    async def waiting(self, database: Database) -> None:
        for row in await self._ask(database, "waiting_outbox", proves=True):
            self._found.waiting += int(row[0])

    async def mentions(self, database: Database, store: str, names: Sequence[str]) -> None:
        for row in await self._ask(database, f"words_{store}", words=words(names)):
            if row[0]:
                self._found.mentions[store] = self._found.mentions.get(store, 0) + int(row[0])

    async def _ask(self, database: Database, statement: str, *, proves: bool = False, **named: object) -> Sequence[Any]:
        """No rows of a store that can't be searched, which is noted; one that `proves` is needed for completeness."""
        try:
            async with database.report(self._deadline) as report:
                now = asyncio.get_running_loop().time()
                seconds = max(STORE_SECONDS, (self._deadline - now) / 2 if proves else 0)
                report.extend(min(self._deadline, now + seconds))
                return await report.ask(SQL[statement], {**self._named, **named})
        except Unavailable:
            self._found.unsearched.append(f"{database.name}: {statement.partition('_')[2]}")
            self._found.is_sure &= not proves
            return ()
