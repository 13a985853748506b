"""Seasons on the control database and what players of other databases have of them, after one of the two went back.

Law: a reward has arrived if its player's ledger says so, and a season is over from the moment on at which the databases
of players began to score in the next one. What the control database says otherwise is put right; the standings that it
has forgotten are counted again by the nodes, and no reward arrives twice.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import asyncpg

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.rules.seasons import Season
from gameserver.storage.crossings.findings import Findings
from gameserver.storage.crossings.past import SQL, WentBack, by_keys, reading
from gameserver.storage.ids import SLOT_BITS, THE_SERVER, mail_id, reward_id, slot_of
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons.records import SeasonRecord, SeasonRecords
from gameserver.storage.slots.slot_map import Slots

TRIES, PAUSE_SECONDS = 50, 0.2
"""How often a node that closes a season is waited for."""
SLOTS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class SeasonCheck:
    """What is asked, and put right; `control` has the seasons."""

    slots: Slots
    control: Database
    records: SeasonRecords
    back: WentBack

    async def of_control(self) -> list[Findings]:
        """For a control database that went back. Raises DatabaseUnavailable."""
        learnt = Findings(
            "seasons_learnt", "ends of seasons that the control database forgot", "learnt from the scores"
        )
        again = Findings(
            "seasons_counted_again",
            "seasons that are over and whose standings it forgot, or never had",
            "counted and rewarded by the nodes; who has its reward gets no other",
        )
        starts = await self._starts()
        for record in await self.records.all():
            season = record.season
            later = sorted(start for start in starts.get(record.board, ()) if start > season.start)
            if record.state in ("running", "ended") and later:
                again.add(board=record.board, season=season.start)
            if record.state == "running" and later and later[0] < season.end:
                await self._learn(record, later)
                learnt.add(board=record.board, season=season.start, end=later[0])
        return [learnt, again]

    async def of_players(self) -> list[Findings]:
        """For players that went back. Raises DatabaseUnavailable."""
        again = Findings("rewards_again", "rewards of seasons that their players don't have any more", "sent again")
        async with reading(self.control) as connection, reading(self.back.database) as restored:
            for season in await connection.fetch(SQL["seasons_rewarded"], self.back.since):
                async for rows in by_keys(connection, "rewards", [-1], *season, self.back.players):
                    missing = await _unrewarded(restored, rows)
                    await self._reward_again(missing)
                    for row in missing:
                        found = {"board": row["board"], "season": row["start"], "rank": row["rank"]}
                        again.add(player=str(row["player_id"]), **found)
        return [again]

    async def of_unknown(self) -> list[Findings]:
        """Rewards that nobody can tell of whether they arrived (`Mailbag`). Raises DatabaseUnavailable."""
        unknown = Findings(
            "rewards_unknown",
            "rewards that may have arrived before weeks of the ledger were dropped, and aren't sent again",
            "listed: look at these players, and give them what they are owed",
        )
        async with reading(self.control) as connection:
            async for rows in by_keys(connection, "rewards_unknown", ["", -1, -1]):
                for row in rows:
                    found = {"board": row["board"], "season": row["start"], "rank": row["rank"]}
                    unknown.add(player=str(row["player_id"]), **found)
        return [unknown]

    async def of_bans(self) -> list[Findings]:
        """Shows and hides on stored standings whoever isn't banned, or is, by now. Raises DatabaseUnavailable."""
        changed = Findings(
            "standings_corrected", "players shown on old standings although they are banned, or not", "put right"
        )
        async with reading(self.control) as connection:
            slots = None if self._is_control() else self.back.players
            async for rows in by_keys(connection, "standing", [-1], slots):
                banned = await self._banned([row["player_id"] for row in rows])
                for row in rows:
                    hidden = row["player_id"] in banned
                    if (row["ever"], row["always"]) != (hidden, hidden):
                        await self.records.hide(row["player_id"], hidden=hidden)
                        changed.add(player=str(row["player_id"]), hidden=hidden)
        return [changed]

    def _is_control(self) -> bool:
        return self.back.database is self.control

    async def _starts(self) -> Mapping[str, set[int]]:
        """When seasons began, by board: those in which players scored, and those that came after a fence."""
        starts: dict[str, set[int]] = defaultdict(set)
        for database in self.slots.databases("players"):
            async with reading(database) as connection:
                for first in range(0, 1 << SLOT_BITS, SLOTS_AT_ONCE):
                    rows = await connection.fetch(SQL["season_starts"], first, first + SLOTS_AT_ONCE - 1)
                    for row in rows:
                        starts[row["board"]].add(row["season"])
        return starts

    async def _learn(self, record: SeasonRecord, later: Sequence[int]) -> None:
        """The season ends when the next one began; those that lie between that and the last one are recorded."""
        await self.records.end_early(record.board, record.season.start, later[0])
        for start, end in pairwise(later):
            await self.records.begin(record.stored_board(), Season(start, end))

    async def _reward_again(self, rows: Iterable[Any]) -> None:
        """Makes the rewards due again. No node closes a season meanwhile: it might be past them already."""
        columns = [[row[name] for row in rows] for name in ("board", "start", "position")]
        if not columns[0]:
            return
        for _ in range(TRIES):
            async with self.records.closing() as is_ours:
                if is_ours:
                    await self.control.ask(SQL["reward_again"], *columns)
                    return
            await asyncio.sleep(PAUSE_SECONDS)
        raise DatabaseUnavailable("A node is closing a season: try again.", retry_after=5)

    async def _banned(self, players: Sequence[int]) -> set[int]:
        by_database: dict[str, list[int]] = defaultdict(list)
        owners = {database.name: database for database in self.slots.databases("players")}
        for player in players:
            by_database[self.slots.owner("players", slot_of(player)).name].append(player)
        banned: set[int] = set()
        for name, ids in by_database.items():
            async with reading(owners[name]) as connection:
                rows = await connection.fetch(SQL["banned"], list(map(slot_of, ids)), ids)
                banned |= {row["id"] for row in rows}
        return banned


async def _unrewarded(restored: asyncpg.Connection, rows: Sequence[Any]) -> list[Any]:
    """Those whose players don't have their reward any more."""
    ids, players = [_mail_of(row) for row in rows], [row["player_id"] for row in rows]
    known = await restored.fetch(SQL["arrived"], list(map(slot_of, players)), players, ids)
    arrived = {row["mail_id"] for row in known}
    return [row for row, mail in zip(rows, ids, strict=True) if mail not in arrived]


def _mail_of(row: Any) -> str:
    """The id of the letter with a reward, which is also that of its row in the ledger (upkeep/closing.py)."""
    return mail_id(THE_SERVER, reward_id(row["board"], row["start"], row["player_id"], row["end"] * 1000), 0)


async def seasons(slots: Slots, control: Database, back: WentBack) -> list[Findings]:
    """Everything about seasons; may be run again. Raises DatabaseUnavailable."""
    check = SeasonCheck(slots, control, SeasonRecords(control), back)
    findings = await check.of_control() if back.database is control else []
    if back.players:
        findings += await check.of_players()
    return [*findings, *await check.of_unknown(), *await check.of_bans()]
