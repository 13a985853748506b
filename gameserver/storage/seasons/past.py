"""Standings of seasons that are over, from the control database, with the same questions as those of the live boards.

Law: they never change once they are stored, but for players who are hidden (banned) or shown again. A hidden player
keeps its row; whoever is behind it is shown with the rank that would be right without it, by the ties by which the
season was counted.
"""

from collections.abc import Sequence
from typing import Any

from gameserver.rules.errors import NotOnBoard
from gameserver.storage.boards.layout import Card, Contest, cursor, microseconds, parse_cursor, unpack_member
from gameserver.storage.boards.standings import Page, Standing
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database
from gameserver.storage.seasons.hidden import Hidden, HiddenPlayers

SQL = statements.load(__package__, "past.sql")
LAST = (1 << 63) - 1


class PastStandings:
    """Every method raises DatabaseUnavailable. `as_of` is always None, since what is stored doesn't change."""

    def __init__(self, control: Database) -> None:
        self._control, self._hidden = control, HiddenPlayers()

    async def top(self, contest: Contest, limit: int, after: str | None) -> Page:
        """At most `limit` standings from the top, or behind the cursor `after`. Raises BadInput."""
        score_and_member = parse_cursor(contest, after) if after else None
        async with self._hidden.snapshot(self._control, contest) as (connection, hidden):
            position = 0
            if score_and_member is not None:
                _, player_id = unpack_member(score_and_member[1])
                position = await connection.fetchval(SQL["position"], *_key(contest), player_id)
            rows = await connection.fetch(
                SQL["page"], *_key(contest), LAST if position is None else position, limit + 1, LAST
            )
        page = Page(hidden.total, None, [_standing(row, hidden) for row in rows[:limit]])
        if len(rows) > limit:
            last = page.standings[-1]
            page.after = cursor(contest, last.score, last.reached_at, last.player_id)
        return page

    async def around(self, contest: Contest, player_id: int, radius: int) -> Page:
        """A player and at most `radius` standings on either side. Raises NotOnBoard."""
        async with self._hidden.snapshot(self._control, contest) as (connection, hidden):
            rows = await connection.fetch(SQL["players"], *_key(contest), [player_id])
            if not rows:
                raise NotOnBoard("The player wasn't on this board.")
            position = rows[0]["position"]
            before = [
                row["position"] for row in await connection.fetch(SQL["before"], *_key(contest), position, radius)
            ]
            first = before[-1] if before else position
            rows = await connection.fetch(SQL["page"], *_key(contest), first - 1, len(before) + 1 + radius, LAST)
        return Page(hidden.total, None, [_standing(row, hidden) for row in rows])

    async def ranks(self, contest: Contest, ids: Sequence[int]) -> Page:
        """The standings of those of the players who were on the board, in the order of `ids`."""
        async with self._hidden.snapshot(self._control, contest) as (connection, hidden):
            rows = await connection.fetch(SQL["players"], *_key(contest), list(ids))
        rows_by_id = {row["player_id"]: row for row in rows}
        standings = []
        for player_id in ids:
            if player_id in rows_by_id:
                standing = _standing(rows_by_id[player_id], hidden)
                standing.behind = hidden.shown_behind(rows_by_id[player_id]["last"])
                standings.append(standing)
        return Page(hidden.total, None, standings)


def _key(contest: Contest) -> tuple[str, int]:
    return contest.board.name, contest.season


def _standing(row: Any, hidden: Hidden) -> Standing:
    card = Card(row["name"], row["class"], row["level"])
    return Standing(
        hidden.shown_rank(row["rank"]),
        row["score"],
        microseconds(row["reached_at"]),
        row["player_id"],
        card,
    )
