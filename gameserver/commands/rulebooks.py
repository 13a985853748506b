"""Rulebooks out of the control database: loaded into a process, and the number of each.

A number is that of a game.toml and of the code that this names. Law: the code is that of the process, as it was loaded.
So a rulebook can be put in force in a running process only if it names no other modules than are loaded already: code
comes with a restart.
"""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from gameserver.rules.errors import NotFound
from gameserver.rules.game import Game, GameFault
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.operators.rulebooks import RecordedRulebook, Rulebooks

RELEASED = "gameserver."
"""Modules of the server itself are the same on every node of a release."""
KEPT = 8
"""Earlier rulebooks that are kept ready."""


class Library:
    """One per process."""

    def __init__(self, records: Rulebooks) -> None:
        self.records = records
        self._sources: dict[str, bytes] = {}
        """By module, as it was when it was first asked for: what is on disk may change later."""
        self._earlier: dict[int, Rulebook | None] = {}
        """By number, the last ones that were asked for: parsing one takes a while."""

    async def numbered(self, mapping: Mapping[str, Any]) -> Rulebook:
        """The rulebook of this content of game.toml, its modules imported; recorded if it is new.

        Raises GameFault, DatabaseUnavailable.
        """
        rulebook = Rulebook.parse(mapping)
        texts = orjson.dumps(mapping).decode(), text_of(mapping)
        return replace(rulebook, number=await self.records.number_of(*texts, self._code_hash(rulebook.game)))

    async def loaded(self, mapping: Mapping[str, Any]) -> Rulebook:
        """As `numbered`, but refuses, with GameFault, what would need code that isn't loaded."""
        require_loaded(mapping)
        return await self.numbered(mapping)

    async def earlier(self, number: int) -> Rulebook | None:
        """The rulebook that made ledger rows of this number; None unless this process has the very code.

        Raises DatabaseUnavailable.
        """
        if number in self._earlier:
            return self._earlier[number]
        record = await self.records.find(number)
        rulebook = None if record is None else self._restored(record)
        self._earlier[number] = rulebook
        if len(self._earlier) > KEPT:
            del self._earlier[next(iter(self._earlier))]
        return rulebook

    def _restored(self, record: RecordedRulebook) -> Rulebook | None:
        mapping = orjson.loads(record.game)
        try:
            require_loaded(mapping)
            rulebook = Rulebook.parse(mapping)
        except GameFault:
            return None
        if self._code_hash(rulebook.game) != record.code_hash:
            return None
        return replace(rulebook, number=record.number)

    async def record(self, number: int) -> RecordedRulebook:
        """Raises NotFound, DatabaseUnavailable."""
        found = await self.records.find(number)
        if found is None:
            raise NotFound(f"There is no rulebook {number}.")
        return found

    async def mapping(self, number: int) -> Mapping[str, Any]:
        """The game.toml of a number. Raises NotFound, DatabaseUnavailable."""
        game: Mapping[str, Any] = orjson.loads((await self.record(number)).game)
        return game

    def _code_hash(self, game: Game) -> str:
        """Of the source of every module whose functions the game names, in the order of their names."""
        digest = hashlib.sha256()
        for name in sorted(
            {reference.partition(":")[0] for reference in (*game.actions.values(), *game.mail.values())}
        ):
            source = self._source(name)
            digest.update(f"{name}\0{len(source)}\0".encode() + source)
        return digest.hexdigest()

    def _source(self, name: str) -> bytes:
        if name not in self._sources:
            file = getattr(sys.modules.get(name), "__file__", None)
            self._sources[name] = Path(file).read_bytes() if file is not None and Path(file).is_file() else b""
        return self._sources[name]


def text_of(mapping: Mapping[str, Any]) -> str:
    """A content of game.toml as JSON, its names sorted."""
    return orjson.dumps(mapping, option=orjson.OPT_SORT_KEYS).decode()


def as_stored(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """A content of game.toml as the control database gives it back."""
    stored: Mapping[str, Any] = orjson.loads(text_of(mapping))
    return stored


def parsed_or_none(mapping: Mapping[str, Any]) -> Game | None:
    """The game of a stored rulebook; None if this version can't read it, as one that a later version has stored."""
    try:
        return Game.parse(mapping)
    except GameFault:
        return None


def require_loaded(mapping: Mapping[str, Any]) -> None:
    """Raises GameFault for every rule whose module this process hasn't loaded."""
    problems = []
    for table in ("actions", "mail"):
        references = mapping.get(table)
        for name, reference in references.items() if isinstance(references, Mapping) else ():
            module = str(reference).partition(":")[0]
            if module not in sys.modules and not module.startswith(RELEASED):
                why = "code can't be published, it comes with a restart"
                problems.append(f"{table}.{name}: the nodes haven't loaded {module}: {why}")
    if problems:
        raise GameFault(problems)
