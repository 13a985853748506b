"""What a player had at a past moment beside its state: items, and scores on boards that store them.

Law: what the commands since then have changed is taken back from what is there now. A score that this doesn't tell (of
a board that keeps the best or the last one) is added up anew from the commands that led to it. Where the ledger or the
rules of then are gone nothing is guessed: it is None, and a sentence in `unknown` says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gameserver.commands import correction_items
from gameserver.commands.correction_items import HeldItems
from gameserver.commands.correction_scores import MOST_ROWS, Key, Scores
from gameserver.rules.player_data import PlayerData
from gameserver.storage.boards.layout import Contest
from gameserver.storage.ledger.past import Past, PastRow, id_near
from gameserver.storage.seasons.rescoring import Rescoring, added_up, score_before


class PastMoment(NamedTuple):
    """A moment, and the version and the rules' data that the player had then."""

    at: datetime
    version: int
    data: PlayerData


class PastScore(NamedTuple):
    """A score in the season of the moment, by its start; None if it isn't known."""

    board: str
    season: int
    score: int | None


@dataclass(frozen=True, slots=True)
class PastHoldings:
    """Counts by item, and the scores that there were; None for what isn't known, of which `unknown` says why."""

    items: Mapping[str, int | None] | None
    scores: Sequence[PastScore]
    unknown: Sequence[str]


async def holdings_at(rescoring: Rescoring, past: Past, then: PastMoment, held: HeldItems | None) -> PastHoldings:
    """`held` are the items of the player as `past` shows it, if they could be read. Raises DatabaseUnavailable."""
    unknown: list[str] = []
    rows = await _rows_since(past, then.version, unknown)
    items = await _items(past, rows, held, unknown)
    contests = rescoring.contests_at(then.at)
    known = await _scores(rescoring, past, then, rows)
    if gone := [contest.board.name for contest in contests if _key(contest) not in known]:
        boards = ", ".join(gone)
        unknown.append(f"What it had on {boards} isn't known: the ledger or the rules of then are gone.")
    keys = [key for key in map(_key, contests) if key not in known or known[key] is not None]
    return PastHoldings(items, [PastScore(*key, known.get(key)) for key in keys], unknown)


async def _rows_since(past: Past, version: int, unknown: list[str]) -> list[PastRow] | None:
    """The rows of this version and all later ones, from the newest, if they are there and few enough."""
    present = past.player.version
    if present - version >= MOST_ROWS:
        unknown.append(
            f"The player has changed {present - version:,} times since: no more than the last {MOST_ROWS - 1:,} changes"
            " are taken back."
        )
        return None
    rows = await past.rows(version, present, present - version + 1)
    if not _follow(rows, present) or rows[-1].version != version:
        unknown.append("The ledger doesn't have everything since then any more.")
        return None
    return rows


async def _items(
    past: Past, rows: Sequence[PastRow] | None, held: HeldItems | None, unknown: list[str]
) -> dict[str, int | None] | None:
    if held is None:
        unknown.append("Its items can't be read just now, or change too quickly: look again.")
    if held is None or rows is None:
        return None
    counts = await correction_items.before(past, rows[:-1], held)
    if gone := [item for item, count in counts.items() if count is None]:
        unknown.append(f"How much it had of {', '.join(gone)} isn't known, since some was lost beyond a full stack.")
    return {item: count for item, count in counts.items() if count != 0}


async def _scores(rescoring: Rescoring, past: Past, then: PastMoment, rows: Sequence[PastRow] | None) -> Scores:
    """What is known; None for a board that the player wasn't on."""
    known: Scores = {}
    contests = rescoring.contests_at(then.at)
    if rows is not None:
        deeds, present = await rescoring.deeds(past, then.data, rows[::-1]), await past.scores()
        for contest in contests:
            is_known, score = score_before(contest, deeds, present.get(_key(contest)))
            if is_known:
                known[_key(contest)] = score
    if missing := [contest for contest in contests if _key(contest) not in known]:
        known |= await _added_up(rescoring, past, then, missing)
    return known


async def _added_up(rescoring: Rescoring, past: Past, then: PastMoment, contests: Sequence[Contest]) -> Scores:
    """The scores that the commands up to then led to, of those contests whose commands are all known."""
    rows = await past.rows(1, then.version, MOST_ROWS, id_near(then.at))
    if not _follow(rows, then.version):
        return {}
    oldest, known = rows[-1], Scores()
    data = await past.data(oldest.version, oldest.command_id)
    deeds = await rescoring.deeds(past, data, rows[::-1])
    for contest in contests:
        counting = [deed for deed in deeds if deed.row.at.timestamp() >= contest.season]
        is_whole = oldest.version == 1 or oldest.at.timestamp() < contest.season
        if is_whole and all(deed.knows(contest.board.name) for deed in counting):
            known[_key(contest)] = added_up(contest, counting)
    return known


def _follow(rows: Sequence[PastRow], last: int) -> bool:
    """Whether rows from the newest have every version down to that of the oldest one."""
    return bool(rows) and [row.version for row in rows] == list(range(last, last - len(rows), -1))


def _key(contest: Contest) -> Key:
    return contest.board.name, contest.season
