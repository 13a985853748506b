"""Rows of a players' database as boards need them: a player, and its stored scores in the contests that store them."""

from collections.abc import Mapping, Sequence
from typing import Any

from gameserver.storage.boards.layout import Contest, pack_card
from gameserver.storage.boards.ranked import RankedPlayer, Score
from gameserver.storage.tables import player_of

_NO_SCORES: Mapping[tuple[str, int], Score | None] = {}


def _storing(contests: Sequence[Contest]) -> list[tuple[str, int]]:
    return list(
        dict.fromkeys((contest.board.name, contest.season) for contest in contests if contest.board.stores_scores)
    )


def stored_score_arguments(contests: Sequence[Contest]) -> tuple[list[str], list[int]]:
    """Boards and seasons whose stored scores the statements ask for."""
    storing = _storing(contests)
    return [board for board, _ in storing], [season for _, season in storing]


def ranked_player_of(row: Any, contests: Sequence[Contest]) -> RankedPlayer:
    """The player of a row that was asked for with the `stored_score_arguments` of these contests."""
    scores = _NO_SCORES
    if row["wanted"]:
        storing = _storing(contests)
        triples = zip(row["wanted"], row["scores"], row["reached"], strict=True)
        scores = {
            storing[number - 1]: None if score is None else Score(score, reached) for number, score, reached in triples
        }
    player = player_of(row)
    return RankedPlayer(player, row["level_reached_at"], row["gone"], scores, pack_card(player), row.get("moved", True))
