"""Rows of the players' database as boards need them: a player, and what he has scored in the contests that are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from gameserver.storage.boards.layout import Contest, Place, Score, pack_card
from gameserver.storage.tables import player_of

_NOTHING: Mapping[tuple[str, int], Score] = {}


def _kept(contests: Sequence[Contest]) -> list[tuple[str, int]]:
    return list(dict.fromkeys((each.board.name, each.season) for each in contests if each.board.stores_scores))


def kept_arguments(contests: Sequence[Contest]) -> tuple[list[str], list[int]]:
    """Boards and seasons whose scores the statements ask for."""
    kept = _kept(contests)
    return [board for board, _ in kept], [season for _, season in kept]


def place_of(row: Any, contests: Sequence[Contest]) -> Place:
    """Of a row that was asked for with the arguments of these contests."""
    scores = _NOTHING
    if row["wanted"]:
        kept = _kept(contests)
        told = zip(row["wanted"], row["scores"], row["reached"], strict=True)
        scores = {kept[number - 1]: Score(score, reached) for number, score, reached in told}
    player = player_of(row)
    return Place(player, row["level_reached_at"], row["gone"], scores, pack_card(player), row.get("moved", True))
