"""A player's past by versions: what it was at a moment, and what has led from there to the present.

Law: a `Past` reads everything in one snapshot of the database that owns the player, together with the player as it is
then. So a correction that is planned on it is planned for exactly that version.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules.corrections import ROLL_BACK, UNDO
from gameserver.rules.errors import PlayerNotFound
from gameserver.rules.player import Player
from gameserver.rules.player_data import NO_DATA, PlayerData, accepted
from gameserver.storage.ids import LARGEST_ID, slot_of
from gameserver.storage.ledger.history import HistoryEntry
from gameserver.storage.postgres import statements
from gameserver.storage.slots.owner import on_owner
from gameserver.storage.slots.scanned_pages import NEWEST, SCANNED, Scanned, ScannedRow, scanned_page
from gameserver.storage.slots.slot_map import Slots
from gameserver.storage.tables import player_with_data_of

SQL = {name: text(statement) for name, statement in statements.load(__package__, "past.sql").items()}
T = TypeVar("T")
Stored = dict[tuple[str, int], int]
"""Scores by board and season."""


class PastRow(NamedTuple):
    """A command in the ledger; one that was refused has a negative seed. `outcome` is the state after it."""

    command_id: str
    action: str
    args: dict[str, Any]
    outcome: dict[str, Any]
    version: int
    at: datetime
    seed: int


class TimelineFilter(NamedTuple):
    """A page of at most `limit` commands behind the id `before`; no `actions` means all."""

    limit: int
    before: str | None = None
    actions: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class Undone:
    """Which commands of a player have been undone, or rolled back, and stand no more."""

    ids: set[str] = field(default_factory=set)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """Versions between which, both left out, everything was rolled back."""

    def __contains__(self, row: PastRow | HistoryEntry) -> bool:
        return row.command_id in self.ids or any(first < row.version < last for first, last in self.ranges)


def undone_by(rows: Iterable[PastRow]) -> Undone:
    """By corrections among these rows, from the newest; one that was undone itself has undone nothing."""
    undone = Undone()
    for row in rows:
        if row in undone:
            continue
        if row.action == UNDO:
            undone.ids.add(row.args["command_id"])
        elif row.action == ROLL_BACK:
            undone.ranges.append((row.outcome["events"][0]["to_version"], row.version))
    return undone


@dataclass(slots=True)
class Past:
    """One player's, as of one snapshot; every method raises DatabaseUnavailable."""

    connection: AsyncConnection
    player: Player
    banned: bool

    async def command(self, command_id: str) -> PastRow | None:
        """The row of a command, unless it is none of the player's or its week was dropped."""
        rows = await self._rows("command", command_id=command_id)
        return rows[0] if rows else None

    async def version_at(self, moment: datetime) -> int | None:
        """The version that the player had at a moment, as far as rows are kept; None if there is no row from before."""
        chosen = await self.connection.execute(SQL["version_at"], self._named(moment=moment))
        version: int | None = chosen.scalar()
        return version

    async def rows(self, first: int, last: int, limit: int) -> list[PastRow]:
        """At most `limit` commands that led to versions `first` to `last`, from the newest."""
        return await self._rows("rows", first=first, last=last, limit=limit)

    async def undone(self) -> Undone:
        """What stands no more of all that the player has done."""
        return undone_by(await self._rows("corrections"))

    async def timeline(self, wanted: TimelineFilter) -> Scanned[PastRow]:
        """The wanted ones among SCANNED commands, from the newest id: perhaps none, and a cursor behind them."""
        named = wanted._asdict() | {
            "actions": list(wanted.actions),
            "limit": wanted.limit + 1,
            "before": wanted.before or NEWEST,
            "scanned": SCANNED,
        }
        chosen = await self.connection.execute(SQL["timeline"], self._named(**named))
        return scanned_page(
            [
                ScannedRow(row["command_id"], row["is_last"], _row(row) if row["fits"] else None)
                for row in chosen.mappings()
            ],
            wanted.limit,
        )

    async def data(self, version: int) -> PlayerData:
        """What the rules remembered of the player when it had that version, as far as the ledger is kept."""
        row = (await self.connection.execute(SQL["data"], self._named(version=version))).first()
        return NO_DATA if row is None else accepted(NO_DATA, orjson.loads(row.data))

    async def scores(self) -> Stored:
        """The scores that the player has on boards that store them."""
        rows = await self.connection.execute(SQL["scores"], self._named())
        return {(row.board, row.season): row.score for row in rows}

    async def _rows(self, statement: str, **named: object) -> list[PastRow]:
        rows = await self.connection.execute(SQL[statement], self._named(**named))
        return [_row(row) for row in rows.mappings()]

    def _named(self, **named: object) -> dict[str, object]:
        return {"slot": slot_of(self.player.id), "id": self.player.id, **named}


class Pasts:
    """One per node."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def look(self, player_id: int, work: Callable[[Past], Awaitable[T]]) -> T:
        """What `work` makes of a player's past. Raises PlayerNotFound, DatabaseUnavailable, and what `work` does."""
        if not 0 < player_id <= LARGEST_ID:
            raise PlayerNotFound("There is no such player.")

        async def read(connection: AsyncConnection) -> T:
            named = {"slot": slot_of(player_id), "id": player_id}
            row = (await connection.execute(SQL["player"], named)).first()
            if row is None:
                raise PlayerNotFound("There is no such player.")
            return await work(Past(connection, player_with_data_of(row), row.banned))

        return await on_owner(self._slots, player_id, read, reads=True)


def _row(row: RowMapping) -> PastRow:
    args, outcome = orjson.loads(row["args"]), orjson.loads(row["outcome"])
    return PastRow(row["command_id"], row["action"], args, outcome, row["version"], row["at"], row["seed"])
