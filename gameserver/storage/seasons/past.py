"""Standings of seasons that are over, from the control database, asked as those of the present ones are."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from gameserver.rules.errors import NotOnBoard
from gameserver.storage.boards.layout import Card, Contest, cursor, microseconds, parse_cursor, unpack_member
from gameserver.storage.boards.standings import Page, Standing
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database

SQL = statements.load(__package__, "past.sql")
LAST = (1 << 63) - 1


class PastStandings:
    """Every method raises DatabaseUnavailable. `as_of` is 0: they hold for good."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def top(self, contest: Contest, limit: int, after: str | None) -> Page:
        """At most `limit` standings from the top, or behind `after`. Raises BadInput."""
        score_and_member = parse_cursor(contest, after) if after else None
        async with self._control.driver_snapshot() as driver:
            position = 0
            if score_and_member is not None:
                _, who = unpack_member(score_and_member[1])
                position = await driver.fetchval(SQL["position"], *_of(contest), who)
            rows = await driver.fetch(
                SQL["page"], *_of(contest), LAST if position is None else position, limit + 1, LAST
            )
            lost, total = await _lost(driver, contest), await driver.fetchval(SQL["total"], *_of(contest))
        page = Page(total, 0, [_standing(row, lost) for row in rows[:limit]])
        if len(rows) > limit:
            last = page.standings[-1]
            page.after = cursor(contest, last.score, last.reached_at, last.player_id)
        return page

    async def around(self, contest: Contest, player_id: int, radius: int) -> Page:
        """A player and at most `radius` on either side. Raises NotOnBoard."""
        async with self._control.driver_snapshot() as driver:
            found = await driver.fetch(SQL["players"], *_of(contest), [player_id])
            if not found:
                raise NotOnBoard("The player wasn't on this board.")
            own = found[0]["position"]
            before = [row["position"] for row in await driver.fetch(SQL["before"], *_of(contest), own, radius)]
            first = before[-1] if before else own
            rows = await driver.fetch(SQL["page"], *_of(contest), first - 1, len(before) + 1 + radius, LAST)
            lost, total = await _lost(driver, contest), await driver.fetchval(SQL["total"], *_of(contest))
        return Page(total, 0, [_standing(row, lost) for row in rows])

    async def ranks(self, contest: Contest, ids: Sequence[int]) -> Page:
        """The standings of those who were on the board, in the order asked."""
        async with self._control.driver_snapshot() as driver:
            found = {row["player_id"]: row for row in await driver.fetch(SQL["players"], *_of(contest), list(ids))}
            lost, total = await _lost(driver, contest), await driver.fetchval(SQL["total"], *_of(contest))
        standings = []
        for each in ids:
            if each in found:
                standing = _standing(found[each], lost)
                standing.behind = found[each]["behind"]
                standings.append(standing)
        return Page(total, 0, standings)


def _of(contest: Contest) -> tuple[str, int]:
    return contest.board.name, contest.season


async def _lost(driver: Any, contest: Contest) -> list[int]:
    """The ranks that those behind them are better by, since nobody who is shown has them."""
    return [row["rank"] for row in await driver.fetch(SQL["lost"], *_of(contest), contest.board.ties == "dense")]


def _standing(row: Any, lost: Sequence[int]) -> Standing:
    card = Card(row["name"], row["class"], row["level"])
    return Standing(
        row["rank"] - bisect_left(lost, row["rank"]),
        row["score"],
        microseconds(row["reached_at"]),
        row["player_id"],
        card,
    )
