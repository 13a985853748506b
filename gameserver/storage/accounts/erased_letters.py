"""What is left of a letter whose sender is erased, in its recipient's inbox and ledger: its sender's id, and figures.

Law: of the events that it caused stay figures, ids, and names of the game, by which its effect can be taken back still
(rules/corrections.py). A text stays only where a name of the game is expected and it looks like one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.storage.ids import is_ledger_id, slot_of
from gameserver.storage.postgres import statements

SQL = {name: text(statement) for name, statement in statements.load(__package__, "erased_letters.sql").items()}
PARTS = ("ledger", "kept")
"""Where the row of a letter may be; in both, while its week is about to be dropped."""
GAME_NAMES = frozenset({"type", "kind", "item", "foe", "class", "code"})
IDS = frozenset({"to", "from", "player", "sender", "mail_id"})
"""Fields of events whose texts are names of the game, and ids."""
_GAME_NAME = re.compile(r"[a-z][a-z0-9_:]{0,63}")


class ErasedLetter(NamedTuple):
    """A letter that the player sent."""

    mail_id: str
    recipient: int


async def forget_letter(connection: AsyncConnection, letter: ErasedLetter, sender: int) -> None:
    """Erases what a letter said, on the database that owns its recipient."""
    named = {"slot": slot_of(letter.recipient), "id": letter.recipient, "mail_id": letter.mail_id}
    args, events = {"sender": str(sender)}, list[Any]()
    for part in PARTS:
        row = (await connection.execute(SQL[part], named)).first()
        if row is None:
            continue
        outcome = orjson.loads(row.outcome)
        if "events" in outcome:
            outcome["events"] = events = [figures_of(event) for event in outcome["events"]]
        await connection.execute(SQL[f"{part}_row"], named | {"args": _json(args), "outcome": _json(outcome)})
    await connection.execute(SQL["inbox"], named | {"payload": _json({"args": args, "events": events})})


def figures_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without what may be free text."""
    return {name: value for name, value in event.items() if _is_plain(name, value)}


def _is_plain(name: str, value: object) -> bool:
    if isinstance(value, str):
        return _is_game_name(value) if name in GAME_NAMES else name in IDS and _is_id(value)
    if isinstance(value, Mapping):
        return all(_is_game_name(key) and _is_figure(count) for key, count in value.items())
    return _is_figure(value)


def _is_figure(value: object) -> bool:
    return not isinstance(value, str | Mapping | Sequence)


def _is_game_name(value: str) -> bool:
    return _GAME_NAME.fullmatch(value) is not None


def _is_id(value: str) -> bool:
    return (value.isascii() and value.isdigit()) or is_ledger_id(value)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
