"""Gives a rulebook its number: that of its game.toml and of the code that this names."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from gameserver.rules.game import Game
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.operators.rulebooks import Rulebooks
from gameserver.storage.postgres.database import Database
from gameserver.telemetry import RULEBOOK


async def numbered(rulebook: Rulebook, mapping: Mapping[str, Any], control: Database) -> Rulebook:
    """The rulebook of this content of game.toml, recorded if it is new. Raises DatabaseUnavailable."""
    text = orjson.dumps(mapping, option=orjson.OPT_SORT_KEYS).decode()
    number = await Rulebooks(control).number_of(text, _code_hash(rulebook.game))
    RULEBOOK.set(number)
    return replace(rulebook, number=number)


def _code_hash(game: Game) -> str:
    """Of the source of every module whose functions the game names, in the order of their names."""
    names = {reference.partition(":")[0] for table in (game.actions, game.mail) for reference in table.values()}
    digest = hashlib.sha256()
    for name in sorted(names):
        file = getattr(sys.modules.get(name), "__file__", None)
        source = Path(file).read_bytes() if file is not None and Path(file).is_file() else b""
        digest.update(f"{name}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()
