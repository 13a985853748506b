"""A player's past by versions: what it was at a moment, and what has led from there to the present.

Law: a `Past` reads everything in one snapshot of the database that owns the player, together with the player as it is
then. So a correction that is planned on it is planned for exactly that version.

Rows have an index by command ids, which are nearly in the order of versions. So what is asked for is looked for among
a bounded number of rows near an id; versions have no gaps, which tells whether these are all. Only if they aren't,
because the player sent old ids or too many, the whole ledger is read, for as long as a statement may take.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
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
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.ids import LARGEST_ID, first_command_id, slot_of
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
ROWS_AT_A_TIME = 100
"""Parsed before others get their turn."""
DATA_BELOW = 5000
"""Rows among which the data that the rules remembered is looked for, before the whole ledger is."""


class PastRow(NamedTuple):
    """A command in the ledger; one that was refused has a negative seed. `outcome` is the state after it.

    `rules` is the number of the rulebook that made it, if one did and that is known.
    """

    command_id: str
    action: str
    args: dict[str, Any]
    outcome: dict[str, Any]
    version: int
    at: datetime
    seed: int
    rules: int | None


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

    ids: Counter[str] = field(default_factory=Counter)
    """How many undos that stand have undone a command."""
    ranges: list[tuple[int, int]] = field(default_factory=list)
    """Versions between which, both left out, everything was rolled back. Of rollbacks that stand, no two overlap."""

    def __contains__(self, row: PastRow | HistoryEntry) -> bool:
        return row.command_id in self.ids or self.rolled_back(row.version)

    def rolled_back(self, version: int) -> bool:
        """Whether a rollback that stands has taken back the command that led to a version."""
        return any(first < version < last for first, last in self.ranges)

    def twice(self, versions: Mapping[str, int]) -> set[str]:
        """The commands that two have taken back, by their ids; one that isn't in `versions` was rolled back by none."""
        both = {each for each in self.ids if each in versions and self.rolled_back(versions[each])}
        return both | {each for each, count in self.ids.items() if count > 1}


def undone_by(rows: Iterable[PastRow]) -> Undone:
    """By corrections among these rows, from the newest; one that was undone itself has undone nothing."""
    undone = Undone()
    for row in rows:
        if row in undone:
            continue
        if row.action == UNDO:
            undone.ids[row.args["command_id"]] += 1
        elif row.action == ROLL_BACK:
            undone.ranges.append((row.outcome["events"][0]["to_version"], row.version))
    return undone


class RulesUnread(Exception):
    """What is done with a past needs the rulebooks of these numbers."""

    def __init__(self, numbers: Collection[int]) -> None:
        super().__init__(numbers)
        self.numbers = numbers


@dataclass(slots=True)
class Past:
    """One player's, as of one snapshot; every method raises DatabaseUnavailable."""

    connection: AsyncConnection
    player: Player
    banned: bool
    rulebooks: Mapping[int, Rulebook | None]
    """Those that were read for it, by their numbers; None where this process hasn't the code."""

    async def command(self, command_id: str) -> PastRow | None:
        """The row of a command, unless it is none of the player's or its week was dropped."""
        rows = await self._rows("command", command_id=command_id)
        return rows[0] if rows else None

    async def version_at(self, moment: datetime) -> int | None:
        """The version that the player had at a moment, as far as rows are kept; None if there is no row from before."""
        named = self._named(moment=moment, **_near(id_near(moment), SCANNED))
        around = (await self.connection.execute(SQL["version_near"], named)).one()
        if around.version is not None and self._follows(around.version, around.following):
            near: int = around.version
            return near
        chosen = await self.connection.execute(SQL["version_at"], self._named(moment=moment))
        version: int | None = chosen.scalar()
        return version

    def _follows(self, version: int, following: int | None) -> bool:
        """Whether there is no version between the two; after the present one there is none."""
        return following == version + 1 or (following is None and version == self.player.version)

    async def rows(self, first: int, last: int, limit: int, near: str = NEWEST) -> list[PastRow]:
        """At most `limit` commands that led to versions `first` to `last`, from the newest; they are `near` an id."""
        wanted = range(last, max(first - 1, last - limit), -1)
        later = self.player.version - last if near == NEWEST else 0
        named = {"first": first, "last": last, "limit": limit}
        found = await self._rows("rows_near", **named, **_near(near, len(wanted) + later + SCANNED))
        if [row.version for row in found] == list(wanted):
            return found
        return await self._rows("rows", **named)

    async def undone(self) -> Undone:
        """What stands no more of all that the player has done."""
        return undone_by(await self._rows("corrections"))

    async def taken_back_again(self, target: PastRow) -> set[str]:
        """Commands that would be taken back twice if `target` were undone: what it has undone stands again then."""
        rows = await self._rows("corrections")
        before, after = undone_by(rows), undone_by(row for row in rows if row.command_id != target.command_id)
        versions = await self._versions({*before.ids, *after.ids}) if after.ranges else {}
        return after.twice(versions) - before.twice(versions)

    async def _versions(self, command_ids: Collection[str]) -> dict[str, int]:
        """The versions that commands led to, as far as their rows are kept."""
        found = await self.connection.execute(SQL["versions"], self._named(ids=list(command_ids)))
        return {row.command_id: row.version for row in found}

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

    async def data(self, version: int, near: str = NEWEST) -> PlayerData:
        """What the rules remembered of the player when it had that version, as far as the ledger is kept.

        `near` is the id of the command that led to the version, or of one not far from it.
        """
        named = self._named(version=version, **_near(near, DATA_BELOW))
        row = (await self.connection.execute(SQL["data_near"], named)).first()
        if row is None or not row.gapless:
            row = (await self.connection.execute(SQL["data"], self._named(version=version))).first()
        return NO_DATA if row is None or row.data is None else accepted(NO_DATA, orjson.loads(row.data))

    async def seen(self) -> datetime:
        """The beginning of the hour in which the player was last seen."""
        seen: datetime = (await self.connection.execute(SQL["seen"], self._named())).scalar_one()
        return seen

    async def scores(self) -> Stored:
        """The scores that the player has on boards that store them."""
        rows = await self.connection.execute(SQL["scores"], self._named())
        return {(row.board, row.season): row.score for row in rows}

    async def _rows(self, statement: str, **named: object) -> list[PastRow]:
        found = (await self.connection.execute(SQL[statement], self._named(**named))).mappings()
        rows: list[PastRow] = []
        while part := found.fetchmany(ROWS_AT_A_TIME):
            rows.extend(map(_row, part))
            await asyncio.sleep(0)
        return rows

    def _named(self, **named: object) -> dict[str, object]:
        return {"slot": slot_of(self.player.id), "id": self.player.id, **named}


class Pasts:
    """One per node."""

    def __init__(self, slots: Slots, rulebook: Callable[[int], Awaitable[Rulebook | None]]) -> None:
        """`rulebook` reads that of a number; None if this process hasn't the code."""
        self._slots, self._rulebook = slots, rulebook

    async def look(self, player_id: int, work: Callable[[Past], Awaitable[T]]) -> T:
        """What `work` makes of a player's past. Raises PlayerNotFound, DatabaseUnavailable, and what `work` does.

        If that is RulesUnread, the rulebooks are read, without a snapshot being held meanwhile, and it is done again.
        """
        if not 0 < player_id <= LARGEST_ID:
            raise PlayerNotFound("There is no such player.")

        async def read(connection: AsyncConnection) -> T:
            named = {"slot": slot_of(player_id), "id": player_id}
            row = (await connection.execute(SQL["player"], named)).first()
            if row is None:
                raise PlayerNotFound("There is no such player.")
            return await work(Past(connection, player_with_data_of(row), row.banned, rulebooks))

        rulebooks: dict[int, Rulebook | None] = {}
        while True:
            try:
                return await on_owner(self._slots, player_id, read, reads=True)
            except RulesUnread as unread:
                for number in unread.numbers:
                    rulebooks[number] = await self._rulebook(number)


def id_near(moment: datetime) -> str:
    """An id as clients give them to commands of that moment."""
    return first_command_id(int(moment.timestamp() * 1000))


def _near(command_id: str, below: int) -> dict[str, object]:
    """Named values: so many rows below an id, and some above it."""
    return {"near": command_id, "below": below, "above": SCANNED}


def _row(row: RowMapping) -> PastRow:
    args, outcome = orjson.loads(row["args"]), orjson.loads(row["outcome"])
    return PastRow(
        row["command_id"], row["action"], args, outcome, row["version"], row["at"], row["seed"], row["rules"]
    )
