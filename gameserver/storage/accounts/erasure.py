"""Erasing what is left of a deleted player: its names, and every text that it or others wrote of it.

Law: figures and the order of what happened stay, so versions, boards, items and the ledgers of others still add up; no
name and no text does. Every step may be repeated. A letter that is still on its way would bring its text after the
erasure: then nothing is erased yet (`on_its_way`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.errors import PlayerNotFound
from gameserver.storage.accounts.erasure_search import Elsewhere, search_others
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres import statements
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.slot_map import Slots

SQL = {name: text(statement) for name, statement in statements.load(__package__, "erasure.sql").items()}
PLAIN = frozenset({"type", "kind", "item", "foe", "to", "from", "player", "sender", "mail_id", "class", "code"})
"""Fields of events whose texts are names of the game or ids."""


class ErasedLetter(NamedTuple):
    """A letter that the player sent."""

    mail_id: str
    recipient: int


@dataclass(frozen=True, slots=True)
class Traces:
    """What a deleted player has left; `on_its_way` counts its letters that haven't arrived yet."""

    names: Sequence[str]
    letters: Sequence[ErasedLetter]
    on_its_way: int


class Erasure:
    """On the databases that own the players; every method raises PlayerNotFound, DatabaseUnavailable."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def traces(self, player_id: int) -> Traces:
        """Raises PlayerNotFound unless the player was deleted."""

        async def work(connection: AsyncConnection) -> Traces:
            if not (await connection.execute(SQL["gone"], _named(player_id))).scalar():
                raise PlayerNotFound("There is no such player that was deleted.")
            names = (await connection.execute(SQL["names"], _named(player_id))).scalars().all()
            letters = [ErasedLetter(*row) for row in await connection.execute(SQL["letters"], _named(player_id))]
            waiting = (await connection.execute(SQL["waiting"], _named(player_id))).scalar_one()
            return Traces(names, letters, waiting)

        return await on_owner(self._slots, player_id, work)

    async def forget_letter(self, letter: ErasedLetter, sender: int) -> None:
        """Erases what a letter said, from its recipient's inbox and ledger; that it arrived, and its effect, stay."""

        async def work(connection: AsyncConnection) -> None:
            named = _named(letter.recipient) | {"mail_id": letter.mail_id}
            row = (await connection.execute(SQL["letter"], named)).first()
            args: dict[str, Any] = {"sender": str(sender)}
            events: list[Any] = []
            if row is not None:
                outcome = orjson.loads(row.outcome)
                events = [_without_texts(event) for event in outcome.get("events", ())]
                if "events" in outcome:
                    outcome["events"] = events
                changed = {"args": _json(args), "outcome": _json(outcome)}
                await connection.execute(SQL["letter_row"], named | changed)
            payload = _json({"args": args, "events": events})
            await connection.execute(SQL["letter_inbox"], named | {"payload": payload})

        await on_owner(self._slots, letter.recipient, work)

    async def forget(self, player_id: int) -> dict[str, int]:
        """Erases the player's own rows; how many of each table."""

        async def work(connection: AsyncConnection) -> dict[str, int]:
            steps = {"players": "player", "ledger": "ledger", "ledger_kept": "kept", "inbox": "refused", "bans": "bans"}
            return {
                table: (await connection.execute(SQL[step], _named(player_id))).rowcount
                for table, step in steps.items()
            }

        return await on_owner(self._slots, player_id, work)

    async def left(self, player_id: int, names: Sequence[str]) -> int:
        """How many rows of the player still have one of the names, or what only players that exist have."""
        patterns = ["%" + name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%" for name in names]

        async def work(connection: AsyncConnection) -> int:
            count = await connection.execute(SQL["left"], _named(player_id) | {"names": patterns})
            return int(count.scalar_one())

        return await on_owner(self._slots, player_id, work, reads=True)

    async def elsewhere(self, player_id: int, names: Sequence[str]) -> Elsewhere:
        """What a search of all others' rows still finds."""
        return await search_others(self._slots, player_id, names)


def _named(player_id: int) -> dict[str, Any]:
    return {"slot": slot_of(player_id), "id": player_id}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _without_texts(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event without what may be free text."""
    return {name: value for name, value in event.items() if name in PLAIN or not isinstance(value, str | list)}
