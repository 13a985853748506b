"""Seasons in the control database: which have begun, how far each has been closed, and their final standings.

Law: a season goes through `running`, `ended` (no database takes a score for it any more), `counted` (its standings are
stored, for good) and `closed` (its rewards have arrived), one step at a time and never back. Each step is a
compare-and-set on the one before, so after a node was killed between two steps any other node goes on.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, exists, func, select, text, true, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from gameserver.rules import boards
from gameserver.rules.boards import Board
from gameserver.rules.seasons import Season
from gameserver.storage import tables
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.faults import translated
from gameserver.storage.postgres.locks import CLOSING
from gameserver.storage.postgres.patience import TRANSACTION, UNHURRIED_READS
from gameserver.storage.postgres.sole_locks import SoleLock

SEASONS, STANDINGS = tables.seasons, tables.season_standings
SQL = statements.load(__package__, "records.sql")
COLUMNS = ("board", "start", "position", "rank", "player_id", "score", "reached_at", "name", "class", "level", "reward",
           "hidden")  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeasonRecord:
    """A season of a board; `players` is how many the final standings have, None before they are stored.

    `definition` is the board as it was when the season began; None for a season that began before it was stored.
    """

    board: str
    season: Season
    state: str
    players: int | None
    changed_at: datetime
    definition: dict[str, Any] | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Of no other season."""
        return self.board, self.season.start

    def stored_board(self) -> Board:
        """The board for a game that no longer has it; without a definition ranked as by default, and unrewarded."""
        return boards.defined(self.board, self.definition or {"score": f"{boards.POINTS}forgotten"})


@dataclass(frozen=True, slots=True)
class DueReward:
    """A reward that hasn't arrived yet."""

    position: int
    rank: int
    player_id: int
    reward: dict[str, Any]


class PastPlace(NamedTuple):
    """A player's place when a season ended; `rewarded` says how its reward ended."""

    board: str
    start: int
    rank: int
    score: int
    reward: dict[str, Any] | None
    rewarded: str | None


class SeasonRecords:
    """Every method raises DatabaseUnavailable."""

    def __init__(self, control: Database) -> None:
        self._control = control
        self._lock = SoleLock(CLOSING)
        self._known: list[SeasonRecord] = []

    async def all(self) -> list[SeasonRecord]:
        """All seasons that have begun, by board and start."""
        async with self._control.snapshot() as connection:
            return await _read(connection, true())

    async def known(self) -> Sequence[SeasonRecord]:
        """What `all` gives. Those that are closed are read only when there are others than before."""
        async with self._control.snapshot() as connection:
            not_closed = await _read(connection, SEASONS.c.state != "closed")
            count = select(func.count()).select_from(SEASONS).where(SEASONS.c.state == "closed")
            closed = await connection.scalar(count)
            keys = {record.key for record in not_closed}
            if closed != sum(record.state == "closed" and record.key not in keys for record in self._known):
                self._known = await _read(connection, true())
            elif not_closed != [record for record in self._known if record.state != "closed"]:
                kept = [record for record in self._known if record.state == "closed" and record.key not in keys]
                self._known = sorted([*kept, *not_closed], key=attrgetter("key"))
            return self._known

    async def begin(self, board: Board, season: Season) -> None:
        """Records that a season has begun and when it is to end (both Unix seconds), unless it was recorded before."""
        row = {"board": board.name, "start": season.start, "end": season.end, "state": "running"}
        row["definition"] = boards.definition(board)
        async with self._control.transaction() as connection:
            await connection.execute(upsert(SEASONS).values(row).on_conflict_do_nothing())

    async def define(self, board: Board, start: int) -> None:
        """Stores the definition of the board of a season that began before definitions were stored."""
        undefined = (SEASONS.c.board == board.name) & (SEASONS.c.start == start) & SEASONS.c.definition.is_(None)
        async with self._control.transaction() as connection:
            await connection.execute(update(SEASONS).where(undefined).values(definition=boards.definition(board)))

    async def end_early(self, board: str, start: int, end: int) -> bool:
        """Makes a running season end earlier, at Unix second `end`; False if it is over or ends earlier anyway."""
        running = (SEASONS.c.board == board) & (SEASONS.c.start == start) & (SEASONS.c.state == "running")
        async with self._control.transaction() as connection:
            changed = await connection.execute(update(SEASONS).where(running, SEASONS.c.end > end).values(end=end))
            return bool(changed.rowcount)

    async def step(self, board: str, start: int, state: str, to: str) -> None:
        """From `state` to the next one, unless another node has made this step."""
        expected = (SEASONS.c.board == board) & (SEASONS.c.start == start) & (SEASONS.c.state == state)
        async with self._control.transaction() as connection:
            await connection.execute(
                update(SEASONS).where(expected).values(state=to, changed_at=text("clock_timestamp()"))
            )

    async def store(self, board: Board, start: int, rows: AsyncIterator[Sequence[tuple[Any, ...]]]) -> int:
        """Stores standings, with fields as in COLUMNS, and makes the step to `counted`; returns how many players.

        They were counted by the ties of this board. Returns 0 and stores nothing if another node has made the step.
        """
        with translated(self._control.name):
            return await self._store(board, start, rows)

    async def _store(self, board: Board, start: int, rows: AsyncIterator[Sequence[tuple[Any, ...]]]) -> int:
        connection = await self._control.connect(UNHURRIED_READS)
        try:
            async with connection.transaction():
                # The row lock makes `hide` wait, so a ban is either seen by the read or applied to what is stored.
                season = "board = $1 and start = $2"
                locked = f"select state from seasons where {season} for update"  # noqa: S608
                if await connection.fetchval(locked, board.name, start) != "ended":
                    return 0
                await connection.execute(f"delete from season_standings where {season}", board.name, start)  # noqa: S608
                count = 0
                async for part in rows:
                    await connection.copy_records_to_table("season_standings", records=part, columns=COLUMNS)
                    count += len(part)
                await connection.execute(
                    "update seasons set state = 'counted', players = $3, ties = $4,"
                    " hidden_changes = hidden_changes + 1, changed_at = clock_timestamp()"
                    " where board = $1 and start = $2 and state = 'ended'",
                    board.name, start, count, board.ties,
                )  # fmt: skip
            return count
        finally:
            connection.terminate()

    async def due_rewards(self, board: str, start: int, limit: int, after: int = -1) -> list[DueReward]:
        """At most `limit` rewards that haven't arrived yet, by position, behind the position `after`.

        A player who is hidden by now gets none.
        """
        columns = STANDINGS.c
        rewarded = (columns.board == board) & (columns.start == start) & columns.reward.is_not(None) & ~columns.hidden
        query = select(columns.position, columns.rank, columns.player_id, columns.reward)
        due = query.where(rewarded, columns.rewarded.is_(None), columns.position > after)
        query = due.order_by(columns.position).limit(limit)
        async with self._control.snapshot() as connection:
            return [DueReward(*row) for row in await connection.execute(query)]

    async def settle(self, board: str, start: int, ends: Iterable[tuple[int, str]]) -> None:
        """Records how rewards ended, as pairs of position and `arrived` or the reason of a refusal."""
        async with self._control.transaction() as connection:
            for position, end in ends:
                row = (STANDINGS.c.board == board) & (STANDINGS.c.start == start) & (STANDINGS.c.position == position)
                await connection.execute(update(STANDINGS).where(row).values(rewarded=end))

    async def hide(self, player_id: int, *, hidden: bool) -> None:
        """Hides a player on the standings of all past seasons, or shows it again; waits for seasons being counted."""
        async with self._between_counts() as connection:
            await connection.exec_driver_sql(SQL["hide"], (player_id, hidden))

    async def past_places(self, player_id: int, limit: int, last: tuple[int, str] | None = None) -> list[PastPlace]:
        """At most `limit` of a player's places in the seasons that are over, from the newest season, then by board.

        `last` are the start and the board of the last one of the page before.
        """
        columns = STANDINGS.c
        chosen = select(
            columns.board, columns.start, columns.rank, columns.score, columns.reward, columns.rewarded
        ).where(columns.player_id == player_id)
        if last is not None:
            start, board = last
            chosen = chosen.where((columns.start < start) | (columns.start == start) & (columns.board > board))
        async with self._control.snapshot() as connection:
            found = await connection.execute(chosen.order_by(columns.start.desc(), columns.board).limit(limit))
            return [PastPlace(*row) for row in found]

    async def names_of(self, player_id: int) -> list[str]:
        """The names of a player that past standings show, one for each of these."""
        named = (STANDINGS.c.player_id == player_id) & (STANDINGS.c.name != "")
        async with self._control.snapshot() as connection:
            return list((await connection.execute(select(STANDINGS.c.name).where(named))).scalars())

    async def are_being_counted(self) -> bool:
        """Whether the standings of a season that has ended aren't stored yet."""
        async with self._control.snapshot() as connection:
            return bool(await connection.scalar(select(exists().where(SEASONS.c.state == "ended"))))

    async def forget_name(self, player_id: int) -> int:
        """Takes a player's name off the standings of all past seasons; its place stays. How many.

        Waits for seasons being counted. The databases of players must have forgotten the name before.
        """
        named = (STANDINGS.c.player_id == player_id) & (STANDINGS.c.name != "")
        async with self._between_counts() as connection:
            return (await connection.execute(update(STANDINGS).where(named).values(name=""))).rowcount

    @asynccontextmanager
    async def _between_counts(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes stored standings in the way in which the databases were changed just before.

        Waits for a season that is being counted: that locks the season before it reads, so it either reads the change
        or has stored its rows by the time this goes on.
        """
        counted = select(SEASONS.c.start).where(SEASONS.c.state == "ended").with_for_update(read=True)
        async with self._control.transaction() as connection:
            await connection.execute(counted)
            yield connection

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[bool]:
        """Whether this node may close seasons inside the block: one node at a time may."""
        with translated(self._control.name):
            connection = await self._control.connect({"idle_session_timeout": "60000", TRANSACTION: "10000"})
        try:
            with translated(self._control.name):
                alone = await self._lock.take(connection)
            yield alone
        finally:
            connection.terminate()


async def _read(connection: AsyncConnection, which: ColumnElement[bool]) -> list[SeasonRecord]:
    query = select(SEASONS).where(which).order_by(SEASONS.c.board, SEASONS.c.start)
    return [
        SeasonRecord(
            row["board"],
            Season(row["start"], row["end"]),
            row["state"],
            row["players"],
            row["changed_at"],
            row["definition"],
        )
        for row in (await connection.execute(query)).mappings()
    ]
